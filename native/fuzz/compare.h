// What the variants of the kernels do, held against what they should do, with the bytes against guard pages.

#ifndef MILLRACE_FUZZ_COMPARE_H_
#define MILLRACE_FUZZ_COMPARE_H_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "../kernels.h"
#include "guard.h"
#include "reference.h"

namespace millrace {

using Octets = std::vector<uint8_t>;

// What is being compared: told when it differs, and when a guard page is hit.
struct Current {
  const char* kernel = "none";
  const char* variant = "none";
  const char* placement = "";
  size_t length = 0;
  uint64_t comparisons = 0;
};
inline Current current;

inline void TellCurrent(const char* what) {
  fprintf(stderr, "%s: %s, variant %s, %zu bytes, %s\n", what, current.kernel, current.variant, current.length,
          current.placement);
}

inline void TellBytes(const char* name, const void* bytes, size_t length) {
  fprintf(stderr, "  %s:", name);
  for (size_t at = 0; at < length; at++) fprintf(stderr, " %02x", static_cast<const uint8_t*>(bytes)[at]);
  fprintf(stderr, "\n");
}

inline void Require(bool holds, const char* what, const Octets& input) {
  if (holds) return;
  TellCurrent(what);
  TellBytes("input", input.data(), input.size());
  abort();
}

inline bool AreSame(const void* a, const void* b, size_t length) { return length == 0 || memcmp(a, b, length) == 0; }

constexpr size_t kMostBytes = 72000;

inline const Variants& AllVariants() {
  static const Variants variants = FindVariants();
  return variants;
}

// Calls `body` once for each variant.
template <typename Body>
void ForEachVariant(const char* kernel, size_t length, const Body& body) {
  current.kernel = kernel;
  current.length = length;
  for (size_t i = 0; i < AllVariants().count; i++) {
    current.variant = AllVariants().list[i]->name;
    body(*AllVariants().list[i]);
    current.comparisons++;
  }
}

struct Utf8Case {
  Octets bytes;
  uint32_t state = kUtf8Accept;
  size_t cut = 0;  // up to bytes.size()
  size_t alignment = 0;
};

inline void CompareUtf8(const Utf8Case& input) {
  static Guarded first(kMostBytes), second(kMostBytes);
  const Octets& bytes = input.bytes;
  const uint32_t expected = PlainUtf8::Validate(bytes.data(), bytes.size(), input.state);
  const uint32_t halfway = PlainUtf8::Validate(bytes.data(), input.cut, input.state);
  const size_t rest = bytes.size() - input.cut;

  ForEachVariant("utf8", bytes.size(), [&](const Variant& variant) {
    for (Placement placement : kPlacements) {
      current.placement = NameOf(placement);
      const uint8_t* data = first.Place(placement, input.alignment, bytes.data(), bytes.size());
      const uint32_t state = variant.utf8(data, bytes.size(), input.state);
      Require(first.IsIntact() && AreSame(data, bytes.data(), bytes.size()), "bytes were written", bytes);
      if (state != expected) fprintf(stderr, "from state %u: %u, not %u\n", input.state, state, expected);
      Require(state == expected, "another state", bytes);
    }
    current.placement = "in two parts";
    const uint8_t* data = first.Place(kEndsAtGuard, 0, bytes.data(), input.cut);
    const uint32_t between = variant.utf8(data, input.cut, input.state);
    if (between != halfway) fprintf(stderr, "after %zu: %u, not %u\n", input.cut, between, halfway);
    Require(between == halfway, "another state", bytes);
    data = second.Place(kBeginsAtGuard, 0, bytes.data() + input.cut, rest);
    Require(variant.utf8(data, rest, between) == expected, "another state behind a cut", bytes);
  });
}

struct MaskCase {
  Octets bytes;
  uint32_t key = 0;
  uint32_t phase = 0;  // below 4
  size_t cut = 0;      // up to bytes.size()
  size_t alignment = 0;
  size_t other_alignment = 0;
};

inline void CompareMask(const MaskCase& input) {
  static Guarded first(kMostBytes), second(kMostBytes);
  const Octets& bytes = input.bytes;
  const size_t length = bytes.size();
  Octets expected = bytes;
  PlainMask(expected.data(), length, input.key, input.phase);
  const Octets blank(length, 0x55);
  const uint32_t key = RotateKey(input.key, input.phase);

  ForEachVariant("mask", length, [&](const Variant& variant) {
    for (Placement placement : kPlacements) {
      current.placement = NameOf(placement);
      uint8_t* data = first.Place(placement, input.alignment, bytes.data(), length);
      variant.mask(data, data, length, key);
      Require(first.IsIntact(), "bytes outside were written", bytes);
      Require(AreSame(data, expected.data(), length), "other bytes in place", bytes);

      for (Placement target : kPlacements) {
        // All nine pairs of placements for some inputs only: they cost more than all the rest.
        if (target != placement && input.alignment % 4 != 0) continue;
        const uint8_t* src = first.Place(placement, input.alignment, bytes.data(), length);
        uint8_t* dst = second.Place(target, input.other_alignment, blank.data(), length);
        variant.mask(src, dst, length, key);
        Require(first.IsIntact() && AreSame(src, bytes.data(), length), "the source was written", bytes);
        Require(second.IsIntact(), "bytes outside were written", bytes);
        Require(AreSame(dst, expected.data(), length), "other bytes apart", bytes);
      }
    }
    current.placement = "in two parts";
    uint8_t* data = first.Place(kAligned, input.alignment, bytes.data(), length);
    variant.mask(data, data, input.cut, key);
    data += input.cut;
    variant.mask(data, data, length - input.cut, RotateKey(key, static_cast<uint32_t>(input.cut % 4)));
    Require(first.IsIntact(), "bytes outside were written", bytes);
    Require(AreSame(data - input.cut, expected.data(), length), "other bytes behind a cut", bytes);
  });
}

struct ScanCase {
  Octets bytes;
  size_t from = 0;      // what `from` says of the first of `bytes`
  size_t capacity = 1;  // rows
  size_t spare = 0;     // places, fewer than a row has
  uint32_t rules = 0;
  double limit = 0;
  size_t alignment = 0;
};

// One scan after the other, each going on where a full table stopped the one before.
template <typename Scan>
std::vector<int32_t> ScanAll(const ScanCase& input, uint8_t* range, Guarded* tables, const Scan& scan) {
  const Octets empty((kBatchRows + kRowSize * input.capacity + input.spare) * sizeof(int32_t), 0x99);
  std::vector<int32_t> all;
  size_t from = input.from;
  const size_t to = input.from + input.bytes.size();
  uint8_t* const chunk = range - input.from;
  do {
    // A table holds 32-bit numbers, so it is aligned to four bytes.
    const Placement placement = kPlacements[(input.alignment + all.size()) % 3];
    auto* table = reinterpret_cast<int32_t*>(
        tables->Place(placement, input.alignment / 4 * 4, empty.data(), empty.size()));
    const size_t places = empty.size() / sizeof(int32_t);
    const size_t rows = scan(chunk, from, to, table, places, input.rules, input.limit);
    Require(tables->IsIntact(), "numbers outside of the table were written", input.bytes);
    all.push_back(static_cast<int32_t>(rows));
    all.insert(all.end(), table, table + places);
    if (table[kBatchStatus] != kFull) break;
    Require(table[kBatchConsumed] > static_cast<int32_t>(from), "no progress", input.bytes);
    from = static_cast<size_t>(table[kBatchConsumed]);
  } while (true);
  return all;
}

inline void CompareScan(const ScanCase& input) {
  static Guarded memory(kMostBytes), tables(kMostBytes);
  const Octets& bytes = input.bytes;
  Octets expected = bytes;
  expected.reserve(1);
  current.variant = "reference";
  const std::vector<int32_t> numbers = ScanAll(input, expected.data(), &tables, PlainScan);

  ForEachVariant("scan", bytes.size(), [&](const Variant& variant) {
    for (Placement placement : kPlacements) {
      current.placement = NameOf(placement);
      uint8_t* const data = memory.Place(placement, input.alignment, bytes.data(), bytes.size());
      const std::vector<int32_t> found = ScanAll(input, data, &tables, variant.scan);
      Require(memory.IsIntact(), "bytes outside were written", bytes);
      if (found != numbers) {
        TellBytes("numbers ", found.data(), found.size() * sizeof(int32_t));
        TellBytes("expected", numbers.data(), numbers.size() * sizeof(int32_t));
      }
      Require(found == numbers, "another table", bytes);
      Require(AreSame(data, expected.data(), bytes.size()), "other bytes", bytes);
    }
  });
}

}  // namespace millrace

#endif  // MILLRACE_FUZZ_COMPARE_H_
