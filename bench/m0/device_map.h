/* SPDX-License-Identifier: MIT */
/* Memory of the reference device: read by C, by the assembler and, through the C
 * preprocessor, by both linker scripts, so that there is one truth. */
#ifndef DEVICE_MAP_H
#define DEVICE_MAP_H

/* -- flash: 256 KiB in pages of 1 KiB -- */
#define MAP_PAGE 0x400
#define MAP_FLASH_END 0x40000
#define MAP_LOADER 0x00000
#define MAP_LOADER_SIZE 0x0A000 /* 40 KiB */
#define MAP_CALLS 0xC0          /* call table for firmware, right behind 48 vectors */
#define MAP_SLOT_A 0x0A000
#define MAP_SLOT_B 0x24400
#define MAP_SLOT_SIZE 0x1A400 /* 105 KiB: image, then the manifest area */
#define MAP_IMAGE_MAX 0x1A000 /* 104 KiB, then one page of manifest area */
#define MAP_JOURNAL 0x3E800   /* 3 pages: the boot journal */
#define MAP_KEYS 0x3F400      /* 2 pages: key sets */
#define MAP_PORT 0x3FC00      /* 1 page: manifests whose payload had a wrong tag */

/* -- RAM: all of loader and firmware lies in the first 8 of 16 KiB -- */
#define MAP_RAM 0x20000000
#define MAP_RAM_REAL 0x20004000   /* end of what the part has */
#define MAP_RAM_LOADER_SIZE 0x800 /* static data of the loader, always there */
#define MAP_RAM_FW 0x20000800
#define MAP_RAM_FW_SIZE 0x200    /* static data of the firmware */
#define MAP_STACK_LOW 0x20000A00 /* one stack for loader and firmware */
#define MAP_STACK_TOP 0x20002000

/* The first word of RAM holds the address of the vector table in force. */
#define MAP_FORWARD 0x20000000

/* What RAM holds after a reset, as a function of the address: nothing may rely on what a
 * reset leaves, and words that still hold it were never used. */
#define MAP_FILL_SEED 0x5EED0F11
#define MAP_FILL_MUL 0x9E3779B1

#endif
