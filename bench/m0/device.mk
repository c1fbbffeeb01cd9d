# SPDX-License-Identifier: MIT
# The reference device: boot loader and firmware images, into $(O)/m0. Complete by itself
# (make -f bench/m0/device.mk device), and fit to be included.

O ?= build
CROSS ?= arm-none-eabi-
PYTHON ?= python3

M0 := bench/m0
M0_OUT = $(O)/m0
M0_KEYS ?= vectors/keys.txt
M0_CORE ?= core/picosuit.c
M0_CC = $(CROSS)gcc -mcpu=cortex-m0 -mthumb
M0_CFLAGS = -Os -g -std=c99 -ffreestanding --param=min-pagesize=0 -ffunction-sections \
	-fdata-sections -Wall -Wextra -Wshadow -Icore -I$(M0) -I$(M0_OUT)
M0_LDFLAGS = -nostartfiles -specs=nano.specs -Wl,--gc-sections,--fatal-warnings
# The loader has names of its own for the codes: 40 KiB are too few for both, and for the second
# table of half-size scalars.
M0_BOOT_CFLAGS = -DPICOSUIT_WITH_STRINGS=0 -DPICOSUIT_WITH_MAC=0 -DPICOSUIT_ED25519_HALVES=0 \
	-fno-tree-loop-distribute-patterns -fno-move-loop-invariants -fno-tree-vrp
M0_HEADERS = core/picosuit.h $(wildcard $(M0)/*.h) $(M0_OUT)/device_keys.h
M0_BOOT = $(addprefix $(M0)/,boot.c boot_serve.c boot_text.c device_port.c device_slots.c \
	device_frame.c device_text.c device_mem.c nrf51_flash.c nrf51_uart.c nrf51_system.c)
M0_FW = $(addprefix $(M0)/,fw.c device_text.c nrf51_uart.c)
M0_IMAGES = $(foreach v,1 2 3n 3h 4,$(M0_OUT)/fw-$(v)a $(M0_OUT)/fw-$(v)b)

.PHONY: device
.SECONDARY: $(M0_IMAGES:%=%.elf)

device: $(M0_OUT)/boot.elf $(M0_IMAGES:%=%.bin) ## boot loader and firmware of the reference device
	@$(CROSS)size $(M0_OUT)/boot.elf $(M0_IMAGES:%=%.elf)

$(M0_OUT)/device_keys.h: $(M0)/device_keys.py $(M0_KEYS)
	@mkdir -p $(M0_OUT)
	@$(PYTHON) $(M0)/device_keys.py $(M0_KEYS) >$@.new && mv $@.new $@

$(M0_OUT)/boot.elf: $(M0_CORE) $(M0_BOOT) $(M0)/boot_start.S $(M0)/boot.ld $(M0_HEADERS) \
		$(M0)/device.mk
	@$(M0_CC) -E -P -x c -I$(M0) $(M0)/boot.ld -o $(M0_OUT)/boot.ld
	@$(M0_CC) $(M0_CFLAGS) $(M0_BOOT_CFLAGS) $(M0_LDFLAGS) -T $(M0_OUT)/boot.ld \
		-Wl,-Map=$(M0_OUT)/boot.map -o $@ $(M0)/boot_start.S $(M0_BOOT) $(M0_CORE)

# fw-<version><kind><slot>: kind n never confirms, h hangs, none is good. No picosuit code in it.
$(M0_OUT)/fw-%.elf: $(M0_FW) $(M0)/fw_start.S $(M0)/fw_table.S $(M0)/fw.ld $(M0_HEADERS) \
		$(M0)/device.mk
	@name=$(patsubst %b,%,$(patsubst %a,%,$*)); \
	def="-DFW_NAME=$$name -DFW_VERSION=$${name%[nh]} -DFW_SLOT=$(if $(filter %a,$*),0,1)"; \
	def="$$def -DFW_KIND=$(if $(findstring n,$*),1,$(if $(findstring h,$*),2,0))"; \
	$(M0_CC) -E -P -x c -I$(M0) $$def $(M0)/fw.ld -o $(M0_OUT)/fw-$*.ld && \
	$(M0_CC) $(M0_CFLAGS) $$def $(M0_LDFLAGS) -Wl,-u,fw_table -T $(M0_OUT)/fw-$*.ld -o $@ \
		$(M0)/fw_start.S $(M0)/fw_table.S $(M0_FW)
	@if $(CROSS)nm $@ | grep picosuit_; then echo "firmware links picosuit"; rm $@; exit 1; fi

$(M0_OUT)/fw-%.bin: $(M0_OUT)/fw-%.elf
	@$(CROSS)objcopy -O binary $< $@
