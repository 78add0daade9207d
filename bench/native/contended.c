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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "page.h"

#define MOST_THREADS 64
/* Operations between two looks whether the window is over. */
#define BATCH 64
/* An odd version for longer than that: the writer has lost its processor. */
#define MAX_RETRIES 10000

/* Structures 4 KiB apart would all fall into one set of the first cache. */
struct apart {
	union page page;
	char rest[4096 + 64 - sizeof(union page)];
};

struct thread {
	_Alignas(64) pthread_t id;
	int slot;
	uint64_t done;
	uint64_t retries;
	uint64_t elapsed_ns;
	union payload payload;
};

static _Alignas(64) struct apart pages[MOST_THREADS];
static struct thread threads[MOST_THREADS + 1];
static int page_count;
static pthread_barrier_t start;
static _Alignas(64) _Atomic int over;

/* By the layout, which is known where it is put in line. Returns the number of retries, or -1 after giving up. */
INLINE int read_page(union page *page, union payload *out, int by_fields)
{
	for (int retries = 0; retries <= MAX_RETRIES; retries++) {
		if (by_fields ? read_fields_once(page, out) : read_words_once(page, out))
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
				self->payload.fields[0] = (uint64_t)i << 32;
				update_fields(&pages[page].page, &self->payload);
			} else {
				self->payload.words[1] = i;
				update_words(&pages[page].page, &self->payload);
			}
		}
		self->done += BATCH;
	}
	self->elapsed_ns = now_ns() - from;
	return NULL;
}

INLINE void *read_pages(struct thread *self, int by_fields)
{
	union page *page = &pages[(self->slot - 1) % page_count].page;

	pthread_barrier_wait(&start);
	uint64_t from = now_ns();
	while (!atomic_load(&over)) {
		for (int i = 0; i < BATCH; i++) {
			int retries = read_page(page, &self->payload, by_fields);

			escape(&self->payload);
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
