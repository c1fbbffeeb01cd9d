/* SPDX-License-Identifier: MIT */
/* The raw modules of Python (picosuit._raw) and Go (internal/raw), from one interface.
 *
 * `make bindings` generates them, and what it writes is committed: nobody else needs SWIG.
 * shim.h is the interface; here stands only how its three kinds of arguments cross:
 * integers as they are, byte spans (data, len: read; buf, cap: written), opaque handles,
 * each with a destructor and never NULL. No callback, no director, no C memory that
 * another language may touch. */
#ifdef SWIGPYTHON
%module(package="picosuit") _raw
#else
%module raw
#endif

%{
#include "shim.h"
%}

%include <stdint.i>

#ifdef SWIGPYTHON

/* ---- Handles */

/* What _new makes is one that the language owns, and frees once. */
%define HANDLE(name)
%nodefaultctor name;
%newobject name##_new;
%ignore name##_free;
typedef struct {
    %extend {
        ~name() {
            name##_free($self);
        }
    }
} name;
%enddef

HANDLE(bind_processor)
HANDLE(bind_flash)
HANDLE(bind_boot)

%typemap(check) bind_processor *, bind_flash *, bind_boot * {
    if ($1 == NULL) {
        SWIG_exception_fail(SWIG_TypeError, "in method '$symname': None is no handle");
    }
}

/* ---- Byte spans: any contiguous bytes-like object. It stays exported during the call,
 * so that nobody can resize it, also while the GIL is released. */

%typemap(in) (const uint8_t *data, size_t len) (Py_buffer view = {0}) {
    if (PyObject_GetBuffer($input, &view, PyBUF_SIMPLE) != 0) {
        SWIG_fail;
    }
    $1 = ($1_ltype)view.buf;
    $2 = ($2_ltype)view.len;
}

%typemap(in) (uint8_t *buf, size_t cap) (Py_buffer view = {0}) {
    if (PyObject_GetBuffer($input, &view, PyBUF_WRITABLE) != 0) {
        SWIG_fail;
    }
    $1 = ($1_ltype)view.buf;
    $2 = ($2_ltype)view.len;
}

%typemap(freearg) (const uint8_t *data, size_t len), (uint8_t *buf, size_t cap) {
    PyBuffer_Release(&view$argnum);
}

%apply (const uint8_t *data, size_t len) {
    (const uint8_t *key, size_t key_len),
    (const uint8_t *sig, size_t sig_len),
    (const uint8_t *salt, size_t salt_len),
    (const uint8_t *nonce, size_t nonce_len),
    (const uint8_t *aad, size_t aad_len)
};

/* ---- The GIL is released where C may work for long: signatures, hashes, whole
 * envelopes. After a reply only if a key was asked for; between two blocks of an image it
 * would be given away 32,768 times per megabyte, and has to be waited for each time. */

%define LONG(name)
%exception name {
    Py_BEGIN_ALLOW_THREADS
    $action
    Py_END_ALLOW_THREADS
}
%enddef

LONG(bind_feed)
LONG(bind_open)
LONG(bind_begin)
LONG(bind_run)
LONG(bind_payload)
LONG(bind_payload_end)
LONG(bind_boot_select)
LONG(bind_boot_candidate)
LONG(bind_boot_report)
LONG(bind_sha256)
LONG(bind_sha512)
LONG(bind_ed25519_verify)
LONG(bind_x25519)
LONG(bind_chacha20)
LONG(bind_poly1305)
LONG(bind_aead_open)

%exception bind_reply {
    PyThreadState *thread = bind_is_long(arg1) ? PyEval_SaveThread() : NULL;
    $action
    if (thread != NULL) {
        PyEval_RestoreThread(thread);
    }
}

#endif

#ifdef SWIGGO

/* ---- Integers as Go's of the same width; a handle is a uintptr: no proxy, no Go pointer in
 * it. A span is its first byte and its length, so that cgo knows what it points to. */

%insert(cgo_comment_typedefs) %{
typedef unsigned char *picosuit_bytes;
#define swig_voidp picosuit_bytes
%}

%typemap(gotype) int32_t "int32"
%typemap(gotype) uint32_t "uint32"
%typemap(gotype) int64_t "int64"
%typemap(gotype) size_t "uintptr"
%typemap(in) int32_t, uint32_t, size_t "$1 = ($1_ltype)$input;"
%typemap(out) int32_t, uint32_t, int64_t "$result = $1;"

%define HANDLE(name)
%typemap(gotype) name *, const name * "uintptr"
%typemap(in) name *, const name * "$1 = ($1_ltype)$input;"
%typemap(out) name * "$result = $1;"
%enddef

HANDLE(bind_processor)
HANDLE(bind_flash)
HANDLE(bind_boot)

%typemap(gotype) const uint8_t *, uint8_t * "*byte"
%typemap(imtype) const uint8_t *, uint8_t * "unsafe.Pointer"
%typemap(goin) const uint8_t *, uint8_t * "$result = unsafe.Pointer($input)"
%typemap(in) const uint8_t *, uint8_t * "$1 = ($1_ltype)$input;"

%typemap(gotype) const char * "string"
%typemap(imtype) const char * "unsafe.Pointer"
%typemap(out) const char * "$result = (void *)$1;"
%typemap(goout) const char * "$result = C.GoString((*C.char)($input))"

#endif

%include "shim.h"
