// Reads a bitmap in roaring's portable format with the C implementation, says
// what is in it, and writes it again:
//
//	peer IN OUT
//
// prints cardinality, least, greatest and a checksum over the values in order.
#include <inttypes.h>
#include <roaring/roaring.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what) {
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static bool add(uint32_t value, void *sum) {
	uint64_t *s = sum;
	*s = (*s ^ value) * UINT64_C(1099511628211);
	return true;
}

int main(int argc, char **argv) {
	if (argc != 3) fail("usage: peer IN OUT");
	FILE *in = fopen(argv[1], "rb");
	if (!in || fseek(in, 0, SEEK_END)) fail("can't read");
	long size = ftell(in);
	rewind(in);
	char *data = malloc(size + 1);
	if (!data || fread(data, 1, size, in) != (size_t)size) fail("can't read");
	if (roaring_bitmap_portable_deserialize_size(data, size) != (size_t)size) fail("another size than the bitmap's");
	roaring_bitmap_t *bitmap = roaring_bitmap_portable_deserialize_safe(data, size);
	if (!bitmap) fail("not a bitmap");
#ifdef VALIDATE
	const char *reason = NULL;
	if (!roaring_bitmap_internal_validate(bitmap, &reason)) fail(reason);
#endif
	uint64_t sum = UINT64_C(14695981039346656037);
	roaring_iterate(bitmap, add, &sum);
	printf("%" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu64 "\n", roaring_bitmap_get_cardinality(bitmap), roaring_bitmap_minimum(bitmap),
	       roaring_bitmap_maximum(bitmap), sum);

	// Written from a copy that went through an operation, so that it is the
	// library's own work.
	roaring_bitmap_t *twice = roaring_bitmap_or(bitmap, bitmap);
	roaring_bitmap_run_optimize(twice);
	size_t length = roaring_bitmap_portable_size_in_bytes(twice);
	char *out = malloc(length);
	if (!out || roaring_bitmap_portable_serialize(twice, out) != length) fail("can't serialize");
	FILE *file = fopen(argv[2], "wb");
	if (!file || fwrite(out, 1, length, file) != length || fclose(file)) fail("can't write");
	roaring_bitmap_free(twice);
	roaring_bitmap_free(bitmap);
	free(out);
	free(data);
	return 0;
}
