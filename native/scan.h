// Frame scanning (RFC 6455 §5.2): one pass over the headers of a chunk.

#ifndef MILLRACE_SCAN_H_
#define MILLRACE_SCAN_H_

#include "bytes.h"
#include "kernels.h"
#include "mask.h"
#include "utf8.h"

namespace millrace {
namespace {

// A bit for each opcode that RFC 6455 §5.2 defines: 0, 1, 2, 8, 9, 10.
constexpr uint32_t kDefinedOpcodes = 0x0707;
constexpr uint32_t kControl = 0x08;
constexpr uint32_t kMasked = 0x80;
constexpr uint32_t kWholeText = kMetaFin | 1;
constexpr uint64_t kMaxSafeInteger = 0x1fffffffffffff;

// What `ReadHeader` returns for a header that is whole and breaks no rule; any other value is where the scan stops.
constexpr int32_t kWhole = -1;

struct Header {
  uint64_t length;
  size_t start;
  uint32_t key;
};

inline uint32_t ReadKey(const uint8_t* from) {
  return from[0] | (from[1] << 8) | (from[2] << 16) | (static_cast<uint32_t>(from[3]) << 24);
}

// Reads the header at `at`. Checks go byte by byte as far as they have arrived, in the order of the portable tier.
inline int32_t ReadHeader(const uint8_t* chunk, size_t at, size_t to, uint32_t rules, uint64_t limit, Header* header) {
  const bool expect_mask = (rules & kExpectMask) != 0;
  const uint32_t first = chunk[at];
  const uint32_t opcode = first & kMetaOpcode;
  if ((first & kMetaRsv & ~rules) != 0) return kReservedBits;
  if (((kDefinedOpcodes >> opcode) & 1) == 0) return kReservedOpcode;
  if (opcode >= kControl && (first & (kMetaFin | kMetaRsv)) != kMetaFin) {
    return (first & kMetaRsv) != 0 ? kReservedBits : kFragmentedControl;
  }

  if (at + 1 == to) return kEnd;
  const uint32_t second = chunk[at + 1];
  if (((second & kMasked) != 0) != expect_mask) return expect_mask ? kMaskRequired : kMaskForbidden;
  uint64_t length = second & 0x7f;
  size_t start = at + 2;
  if (length > 125) {
    if (opcode >= kControl) return kControlTooLong;
    const size_t size = length == 126 ? 2 : 8;
    const uint64_t least = length == 126 ? 126 : 0x10000;
    if (to - start < size) return kEnd;
    length = LoadBigEndian(chunk + start, size);
    start += size;
    if (length >> 63 != 0) return kLengthReservedBit;
    if (length < least) return kLengthNotMinimal;
  }
  if (length > limit) return kFrameTooLarge;
  header->key = 0;
  if (expect_mask) {
    if (to - start < 4) return kEnd;
    header->key = ReadKey(chunk + start);
    start += 4;
  }
  header->length = length;
  header->start = start;
  return kWhole;
}

// See `Variant::scan`.
template <typename Vector>
inline size_t ScanFrames(uint8_t* chunk, size_t from, size_t to, int32_t* table, size_t places, uint32_t rules,
                         double limit) {
  const bool expect_mask = (rules & kExpectMask) != 0;
  const uint64_t whole_limit =
      limit < static_cast<double>(kMaxSafeInteger) ? static_cast<uint64_t>(limit) : kMaxSafeInteger;
  const size_t capacity = (places - kBatchRows) / kRowSize;
  int32_t* row = table + kBatchRows;
  size_t count = 0;
  size_t at = from;
  int32_t status = kEnd;
  uint32_t key = 0;
  uint64_t total = 0;

  while (at < to) {
    if (count == capacity) {
      status = kFull;
      break;
    }
    Header header;
    const int32_t found = ReadHeader(chunk, at, to, rules, whole_limit, &header);
    if (found != kWhole) {
      status = found;
      break;
    }

    const uint32_t first = chunk[at];
    int32_t meta = static_cast<int32_t>(first);
    uint8_t* const payload = chunk + header.start;
    const size_t there = to - header.start;
    size_t length = static_cast<size_t>(header.length);
    if (header.length > there) {
      length = there;
      meta |= kMetaPartial;
      status = kPartial;
      key = header.key;
      total = header.length;
    } else {
      if (first == kWholeText) {
        meta |= expect_mask ? UnmaskText<Vector>(payload, length, header.key) : ClassifyText<Vector>(payload, length);
      } else if (expect_mask) {
        MaskBytes<Vector>(payload, payload, length, header.key);
      }
    }
    row[0] = meta;
    row[1] = static_cast<int32_t>(header.start);
    row[2] = static_cast<int32_t>(length);
    row += kRowSize;
    count++;
    at = header.start + length;
    if (status == kPartial) break;
  }

  table[kBatchStatus] = status;
  table[kBatchConsumed] = static_cast<int32_t>(at);
  table[kBatchKey] = static_cast<int32_t>(key);
  table[kBatchTotalLow] = static_cast<int32_t>(static_cast<uint32_t>(total));
  table[kBatchTotalHigh] = static_cast<int32_t>(total >> 32);
  return count;
}

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_SCAN_H_
