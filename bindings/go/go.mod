module picosuit.example/go

go 1.19
