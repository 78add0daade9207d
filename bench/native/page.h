/*
 * The pvclock page and its version protocol in C11 atomics, all seq_cst: by words of 32 bits, as the Atomics backend accesses
 * it, and by fields of 64, as the WebAssembly backend does. Never both while it is measured.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define PAGE_WORDS 8
#define FLAGS_WORD 7
/* Version with steal, TSC, system time, rate. */
#define PAGE_FIELDS 4
#define RATE_FIELD 3
#define GUEST_STOPPED (2u << 8)
#define STEAL_MASK (~(uint64_t)UINT32_MAX)

/* In line at every use, as the kernel's are. */
#define INLINE static inline __attribute__((always_inline))

union page {
	_Atomic uint32_t words[PAGE_WORDS];
	_Atomic uint64_t fields[PAGE_FIELDS];
};

/* One thread's own: what it writes, or what it has read. */
union payload {
	uint32_t words[PAGE_WORDS];
	uint64_t fields[PAGE_FIELDS];
};

/* One word after the other: a short loop takes half as long again where its code happens to lie across two lines of the cache. */
#define EACH_WORD(access) access(1) access(2) access(3) access(4) access(5) access(6) access(7)
#define LOAD_SEQCST(word) out->words[word] = atomic_load(&page->words[word]);

INLINE void update_words(union page *page, const union payload *values)
{
	uint32_t opening = (atomic_load(&page->words[0]) + 1) | 1;

	atomic_store(&page->words[0], opening);
	for (int word = 1; word < FLAGS_WORD; word++)
		atomic_store(&page->words[word], values->words[word]);
	uint32_t differing = atomic_load(&page->words[FLAGS_WORD]) ^ values->words[FLAGS_WORD];
	atomic_fetch_xor(&page->words[FLAGS_WORD], differing & ~GUEST_STOPPED);
	atomic_store(&page->words[0], opening + 1);
}

INLINE void update_fields(union page *page, const union payload *values)
{
	uint64_t found = atomic_load(&page->fields[0]);
	uint32_t opening = ((uint32_t)found + 1) | 1;

	atomic_store(&page->fields[0], (found & STEAL_MASK) | opening);
	atomic_store(&page->fields[1], values->fields[1]);
	atomic_store(&page->fields[2], values->fields[2]);
	uint64_t differing = atomic_load(&page->fields[RATE_FIELD]) ^ values->fields[RATE_FIELD];
	differing &= ~((uint64_t)GUEST_STOPPED << 32);
	if (differing != 0)
		atomic_fetch_xor(&page->fields[RATE_FIELD], differing);
	atomic_store(&page->fields[0], (values->fields[0] & STEAL_MASK) | (opening + 1));
}

/* One look at the page. Returns whether what it found is one update, which is then in out. */
INLINE int read_words_once(union page *page, union payload *out)
{
	uint32_t version = atomic_load(&page->words[0]);

	if (version & 1)
		return 0;
	EACH_WORD(LOAD_SEQCST)
	if (atomic_load(&page->words[0]) != version)
		return 0;
	out->words[0] = version;
	return 1;
}

INLINE int read_fields_once(union page *page, union payload *out)
{
	uint64_t head = atomic_load(&page->fields[0]);

	if (head & 1)
		return 0;
	out->fields[1] = atomic_load(&page->fields[1]);
	out->fields[2] = atomic_load(&page->fields[2]);
	out->fields[3] = atomic_load(&page->fields[3]);
	if (atomic_load(&page->fields[0]) != head)
		return 0;
	out->fields[0] = head;
	return 1;
}

/* The compiler has to assume that somebody looks at this memory here. */
INLINE void escape(void *memory)
{
	__asm__ volatile("" : : "r"(memory) : "memory");
}

INLINE uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
