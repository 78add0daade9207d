/*
 * The version protocol of the pvclock page in C11 atomics, all seq_cst, with threads at full speed.
 *
 *     contended WRITERS READERS PAGES WINDOW_MS LAYOUT
 *
 * LAYOUT is "words", of 32 bits, or "fields", of 64: what the Atomics and the WebAssembly backend access a page by.
 * One writer or none updates the pages in turn, reader r reads page r modulo PAGES. Prints updates a second, reads a second
 * and retries a read.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE_WORDS 8
#define PAGE_FIELDS 4
#define FLAGS_WORD 7
#define RATE_FIELD 3
#define GUEST_STOPPED (2u << 8)
#define MOST_THREADS 64
/* Operations between two looks whether the window is over. */
#define BATCH 64
/* An odd version for longer than that: the writer has lost its processor. */
#define MAX_RETRIES 10000

/* Structures 4 KiB apart would all fall into one set of the first cache. */
struct page {
	union {
		_Atomic uint32_t words[PAGE_WORDS];
		_Atomic uint64_t fields[PAGE_FIELDS];
	};
	char rest[4096 + 64 - PAGE_WORDS * 4];
};

struct thread {
	_Alignas(64) pthread_t id;
	int slot;
	uint64_t done;
	uint64_t retries;
	uint64_t elapsed_ns;
	union {
		uint32_t words[PAGE_WORDS];
		uint64_t fields[PAGE_FIELDS];
	};
};

static _Alignas(64) struct page pages[MOST_THREADS];
static struct thread threads[MOST_THREADS + 1];
static int page_count;
static pthread_barrier_t start;
static _Alignas(64) _Atomic int over;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One word after the other: a short loop takes half as long again where its code happens to lie across two lines of the cache. */
#define EACH_WORD(access) access(1) access(2) access(3) access(4) access(5) access(6) access(7)
#define LOAD_SEQCST(word) out[word] = atomic_load(&page->words[word]);

/* In line at every use: the layout is then known. */
#define INLINE static inline __attribute__((always_inline))

INLINE void update_words(struct page *page, const uint32_t *values)
{
	uint32_t opening = (atomic_load(&page->words[0]) + 1) | 1;

	atomic_store(&page->words[0], opening);
	for (int word = 1; word < FLAGS_WORD; word++)
		atomic_store(&page->words[word], values[word]);
	uint32_t differing = atomic_load(&page->words[FLAGS_WORD]) ^ values[FLAGS_WORD];
	atomic_fetch_xor(&page->words[FLAGS_WORD], differing & ~GUEST_STOPPED);
	atomic_store(&page->words[0], opening + 1);
}

INLINE void update_fields(struct page *page, const uint64_t *values)
{
	uint64_t found = atomic_load(&page->fields[0]);
	uint32_t opening = ((uint32_t)found + 1) | 1;

	atomic_store(&page->fields[0], (found & ~(uint64_t)UINT32_MAX) | opening);
	atomic_store(&page->fields[1], values[1]);
	atomic_store(&page->fields[2], values[2]);
	uint64_t differing = atomic_load(&page->fields[RATE_FIELD]) ^ values[RATE_FIELD];
	differing &= ~((uint64_t)GUEST_STOPPED << 32);
	if (differing != 0)
		atomic_fetch_xor(&page->fields[RATE_FIELD], differing);
	atomic_store(&page->fields[0], (values[0] & ~(uint64_t)UINT32_MAX) | (opening + 1));
}

/* Returns the number of retries, or -1 after giving up. */
INLINE int read_words(struct page *page, uint32_t *out)
{
	for (int retries = 0; retries <= MAX_RETRIES; retries++) {
		uint32_t version = atomic_load(&page->words[0]);

		if (version & 1)
			continue;
		EACH_WORD(LOAD_SEQCST)
		if (atomic_load(&page->words[0]) != version)
			continue;
		out[0] = version;
		return retries;
	}
	return -1;
}

INLINE int read_fields(struct page *page, uint64_t *out)
{
	for (int retries = 0; retries <= MAX_RETRIES; retries++) {
		uint64_t head = atomic_load(&page->fields[0]);

		if (head & 1)
			continue;
		out[1] = atomic_load(&page->fields[1]);
		out[2] = atomic_load(&page->fields[2]);
		out[3] = atomic_load(&page->fields[3]);
		if (atomic_load(&page->fields[0]) != head)
			continue;
		out[0] = head;
		return retries;
	}
	return -1;
}

INLINE void *write_pages(struct thread *self, int by_fields)
{
	int page = 0;

	pthread_barrier_wait(&start);
	uint64_t from = now_ns();
	while (!atomic_load(&over)) {
		for (uint32_t i = 0; i < BATCH; i++) {
			page = page + 1 >= page_count ? 0 : page + 1;
			if (by_fields) {
				self->fields[0] = (uint64_t)i << 32;
				update_fields(&pages[page], self->fields);
			} else {
				self->words[1] = i;
				update_words(&pages[page], self->words);
			}
		}
		self->done += BATCH;
	}
	self->elapsed_ns = now_ns() - from;
	return NULL;
}

INLINE void *read_pages(struct thread *self, int by_fields)
{
	struct page *page = &pages[(self->slot - 1) % page_count];

	pthread_barrier_wait(&start);
	uint64_t from = now_ns();
	while (!atomic_load(&over)) {
		for (int i = 0; i < BATCH; i++) {
			int retries = by_fields ? read_fields(page, self->fields) : read_words(page, self->words);

			/* The compiler has to assume that somebody looks at the words here. */
			__asm__ volatile("" : : "r"(self->words) : "memory");
			self->done += retries >= 0;
			self->retries += retries >= 0 ? (uint64_t)retries : MAX_RETRIES;
		}
	}
	self->elapsed_ns = now_ns() - from;
	return NULL;
}

static void *write_by_words(void *self)
{
	return write_pages(self, 0);
}

static void *write_by_fields(void *self)
{
	return write_pages(self, 1);
}

static void *read_by_words(void *self)
{
	return read_pages(self, 0);
}

static void *read_by_fields(void *self)
{
	return read_pages(self, 1);
}

int main(int argc, char **argv)
{
	if (argc != 6 || (strcmp(argv[5], "words") != 0 && strcmp(argv[5], "fields") != 0)) {
		fprintf(stderr, "usage: contended WRITERS READERS PAGES WINDOW_MS words|fields\n");
		return 2;
	}
	int writers = atoi(argv[1]);
	int readers = atoi(argv[2]);
	page_count = atoi(argv[3]);
	int window_ms = atoi(argv[4]);
	if (writers < 0 || writers > 1 || readers < 0 || readers > MOST_THREADS || writers + readers == 0 ||
	    page_count < 1 || page_count > MOST_THREADS) {
		fprintf(stderr, "contended: 0 or 1 writers, up to %d readers, 1 to %d pages\n", MOST_THREADS, MOST_THREADS);
		return 2;
	}
	int first = writers == 1 ? 0 : 1;
	int by_fields = strcmp(argv[5], "fields") == 0;
	void *(*const writer)(void *) = by_fields ? write_by_fields : write_by_words;
	void *(*const reader)(void *) = by_fields ? read_by_fields : read_by_words;

	pthread_barrier_init(&start, NULL, (unsigned)(writers + readers + 1));
	for (int slot = first; slot <= readers; slot++) {
		threads[slot].slot = slot;
		if (pthread_create(&threads[slot].id, NULL, slot == 0 ? writer : reader, &threads[slot]) != 0)
			return 1;
	}
	pthread_barrier_wait(&start);
	usleep((useconds_t)window_ms * 1000);
	atomic_store(&over, 1);

	double updates = 0, reads = 0, done = 0, retries = 0;
	for (int slot = first; slot <= readers; slot++) {
		struct thread *thread = &threads[slot];

		pthread_join(thread->id, NULL);
		double per_second = (double)thread->done * 1e9 / (double)thread->elapsed_ns;
		if (slot == 0) {
			updates = per_second;
			continue;
		}
		reads += per_second;
		done += (double)thread->done;
		retries += (double)thread->retries;
	}
	printf("%.3f %.3f %.6f\n", updates, reads, done > 0 ? retries / done : 0.0);
	return 0;
}
