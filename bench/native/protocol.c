/*
 * The version protocol of the pvclock page in C11 atomics, for comparison with the one in TypeScript.
 *
 *     protocol ROW BATCH_NS SAMPLES
 *
 * prints SAMPLES lines: ns per operation, each over a batch of operations that takes at least BATCH_NS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "page.h"

#define TSC_KHZ 2600000u
#define NS_PER_MS 1000000u

static _Alignas(4096) struct {
	_Alignas(64) union page page;
	_Alignas(64) _Atomic uint64_t last_value;
	_Alignas(64) _Atomic uint64_t steal_ns;
	/* Not shared, but laid beside it: at the same offset of another 4 KiB, a processor would take one for the other. */
	_Alignas(64) union payload values;
	_Alignas(64) union payload out;
} memory;

static union page *const page = &memory.page;
static union payload *const values = &memory.values;
static union payload *const out = &memory.out;
static uint64_t clock_ns = 1000000000u;

#define OPERATION INLINE void

#define LOAD(word) atomic_load_explicit(&page->words[word], memory_order_relaxed)
#define STORE(word, value) atomic_store_explicit(&page->words[word], value, memory_order_relaxed)
#define LOAD_RELAXED(word) out->words[word] = LOAD(word);

OPERATION update_seqcst(void)
{
	update_words(page, values);
}

OPERATION update_by_fields(void)
{
	update_fields(page, values);
}

OPERATION read_seqcst(void)
{
	while (!read_words_once(page, out))
		;
}

OPERATION read_by_fields(void)
{
	while (!read_fields_once(page, out))
		;
}

/* As the kernel does it: relaxed stores, with a write barrier after the odd version and before the even one. */
OPERATION update_linux(void)
{
	uint32_t opening = (LOAD(0) + 1) | 1;
	uint32_t stopped = LOAD(FLAGS_WORD) & GUEST_STOPPED;

	STORE(0, opening);
	atomic_thread_fence(memory_order_release);
	for (int word = 1; word < FLAGS_WORD; word++)
		STORE(word, values->words[word]);
	STORE(FLAGS_WORD, values->words[FLAGS_WORD] | stopped);
	atomic_thread_fence(memory_order_release);
	STORE(0, opening + 1);
}

/* As the kernel does it: relaxed loads between two read barriers. */
OPERATION read_linux(void)
{
	uint32_t version;

	do {
		while ((version = LOAD(0)) & 1)
			;
		atomic_thread_fence(memory_order_acquire);
		EACH_WORD(LOAD_RELAXED)
		atomic_thread_fence(memory_order_acquire);
	} while (LOAD(0) != version);
	out->words[0] = version;
}

/* The emulated counter, by the same steps as in TypeScript: whole milliseconds first, which are exact. */
static uint64_t read_tsc(void)
{
	clock_ns += 100;
	return clock_ns / NS_PER_MS * TSC_KHZ + clock_ns % NS_PER_MS * TSC_KHZ / NS_PER_MS;
}

#define LOAD_FIELD(field) atomic_load_explicit(&page->fields[field], memory_order_relaxed)

/*
 * A consistent read with the counter read inside, scaled through 96 bits, and never below what was given out before. By
 * fields of 64 bits, as the kernel's structure has them: from words that were just stored, a field would be put together slowly.
 */
OPERATION kvmclock_read(void)
{
	uint64_t head, cycles, timestamp, system_time, rate;

	do {
		while ((head = LOAD_FIELD(0)) & 1)
			;
		atomic_thread_fence(memory_order_acquire);
		timestamp = LOAD_FIELD(1);
		system_time = LOAD_FIELD(2);
		rate = LOAD_FIELD(RATE_FIELD);
		cycles = read_tsc();
		atomic_thread_fence(memory_order_acquire);
	} while ((uint32_t)LOAD_FIELD(0) != (uint32_t)head);

	uint64_t delta = cycles - timestamp;
	int8_t shift = (int8_t)(rate >> 32 & 0xff);
	delta = shift < 0 ? delta >> -shift : delta << shift;
	uint64_t ns = system_time + (uint64_t)((unsigned __int128)delta * (uint32_t)rate >> 32);

	uint64_t last = atomic_load_explicit(&memory.last_value, memory_order_relaxed);
	while (ns > last && !atomic_compare_exchange_weak(&memory.last_value, &last, ns))
		;
	uint64_t result = ns > last ? ns : last;
	escape(&result);
}

OPERATION store64_seqcst(void)
{
	clock_ns += 1000;
	atomic_store(&memory.steal_ns, clock_ns);
}

/* The words of an update one second after boot, at 2.6 GHz: shift 1 to the right, then 0xc4ec4ec4 / 2^32. */
static void fill_values(void)
{
	uint64_t cycles = (uint64_t)TSC_KHZ * 1000;

	values->words[2] = (uint32_t)cycles;
	values->words[3] = (uint32_t)(cycles >> 32);
	values->words[4] = 1000000000u;
	values->words[6] = 0xc4ec4ec4u;
	values->words[FLAGS_WORD] = 0xffu | 4u << 8;
}

/* A loop of its own for each operation, so that the compiler can put it in line. */
#define ROW(name)                                                                                                      \
	static uint64_t time_##name(uint64_t count)                                                                    \
	{                                                                                                              \
		uint64_t start = now_ns();                                                                             \
		for (uint64_t i = 0; i < count; i++) {                                                                 \
			values->words[1] = (uint32_t)i;                                                                       \
			name();                                                                                        \
			escape(out);                                                                                   \
		}                                                                                                      \
		return now_ns() - start;                                                                               \
	}

ROW(update_seqcst)
ROW(update_linux)
ROW(read_seqcst)
ROW(read_linux)
ROW(update_by_fields)
ROW(read_by_fields)
ROW(store64_seqcst)
ROW(kvmclock_read)

static const struct {
	const char *name;
	uint64_t (*time)(uint64_t count);
} rows[] = {
	{ "update-seqcst", time_update_seqcst },   { "update-linux", time_update_linux },
	{ "read-seqcst", time_read_seqcst },       { "read-linux", time_read_linux },
	{ "update-fields", time_update_by_fields },   { "read-fields", time_read_by_fields },
	{ "store64-seqcst", time_store64_seqcst }, { "kvmclock-read", time_kvmclock_read },
};

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: protocol ROW BATCH_NS SAMPLES\n");
		return 2;
	}
	uint64_t batch_ns = strtoull(argv[2], NULL, 10);
	uint64_t samples = strtoull(argv[3], NULL, 10);

	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		if (strcmp(rows[row].name, argv[1]) != 0)
			continue;
		uint64_t count = 1024;

		fill_values();
		update_seqcst();
		/* Twice over, as the first batch that is long enough may have met a page fault or a slow clock. */
		for (int settled = 0; settled < 2;) {
			if (rows[row].time(count) >= batch_ns)
				settled++;
			else
				count *= 2;
		}
		for (uint64_t sample = 0; sample < samples; sample++)
			printf("%.6f\n", (double)rows[row].time(count) / (double)count);
		return 0;
	}
	fprintf(stderr, "no such row: %s\n", argv[1]);
	return 2;
}
