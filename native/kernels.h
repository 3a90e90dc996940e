// The kernels as C++ sees them: bytes and numbers in, bytes and numbers out. `src/kernels/contract.ts` documents each
// of them; the constants here repeat that file's, and the two must change together.

#ifndef MILLRACE_KERNELS_H_
#define MILLRACE_KERNELS_H_

#include <stddef.h>
#include <stdint.h>

namespace millrace {

constexpr uint32_t kExpectMask = 0x01;

constexpr uint32_t kUtf8Accept = 0;
constexpr uint32_t kUtf8Reject = 1;
constexpr uint32_t kUtf8States = 9;

enum ScanStatus : int32_t {
  kEnd = 0,
  kPartial = 1,
  kFull = 2,
  kReservedBits = 16,
  kReservedOpcode = 17,
  kFragmentedControl = 18,
  kMaskRequired = 19,
  kMaskForbidden = 20,
  kControlTooLong = 21,
  kLengthNotMinimal = 22,
  kLengthReservedBit = 23,
  kFrameTooLarge = 24,
};

constexpr int32_t kMetaOpcode = 0x0f;
constexpr int32_t kMetaRsv = 0x70;
constexpr int32_t kMetaFin = 0x80;
constexpr int32_t kTextAscii = 0x100;
constexpr int32_t kTextUtf8 = 0x200;
constexpr int32_t kTextInvalid = 0x300;
constexpr int32_t kMetaPartial = 0x400;

constexpr size_t kRowSize = 3;

// Places in a batch's table ahead of its rows.
constexpr size_t kBatchStatus = 0;
constexpr size_t kBatchConsumed = 1;
constexpr size_t kBatchKey = 2;
constexpr size_t kBatchTotalLow = 3;
constexpr size_t kBatchTotalHigh = 4;
constexpr size_t kBatchRows = 5;

// The kernels, compiled for one kind of CPU. All variants do the same to the byte.
struct Variant {
  // As `MILLRACE_CPU` and `info.features` name it.
  const char* name;

  // Reads frames of chunk[from, to) into `table` of `places` numbers; returns the number of rows.
  size_t (*scan)(uint8_t* chunk, size_t from, size_t to, int32_t* table, size_t places, uint32_t rules, double limit);

  // XORs `length` bytes; the ranges are one and the same or apart. `key` is turned to the first byte already, the key
  // byte that it meets lowest.
  void (*mask)(const uint8_t* src, uint8_t* dst, size_t length, uint32_t key);

  // Validates UTF-8 from one state to the next.
  uint32_t (*utf8)(const uint8_t* data, size_t length, uint32_t state);
};

extern const Variant kScalar;
#if defined(__x86_64__) || defined(_M_X64)
extern const Variant kSse2;
extern const Variant kAvx2;
extern const Variant kAvx512;
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const Variant kNeon;
#endif

// The variants that this CPU and its operating system can run, the slowest first.
constexpr size_t kMostVariants = 4;
struct Variants {
  const Variant* list[kMostVariants];
  size_t count;
};
Variants FindVariants();

// Without a name outside of each file: see bytes.h.
namespace {

// A key as it meets bytes that begin `phase` bytes later.
inline uint32_t RotateKey(uint32_t key, uint32_t phase) {
  return phase == 0 ? key : (key >> (phase * 8)) | (key << (32 - phase * 8));
}

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_KERNELS_H_
