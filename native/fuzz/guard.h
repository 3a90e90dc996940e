// Memory that ends, on both sides, where nothing may be touched.
//
// A page that cannot be read or written stands at each end, so that hardware catches what sanitizers may not see, such
// as masked loads. A range lies against the one page or the other; in between, where it has a chosen alignment, bytes
// around it are known and poisoned instead.

#ifndef MILLRACE_FUZZ_GUARD_H_
#define MILLRACE_FUZZ_GUARD_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Told by whoever builds: this file itself may be compiled without the sanitizer, for speed.
#ifdef MILLRACE_POISONS
#include <sanitizer/asan_interface.h>
#endif

namespace millrace {

enum Placement { kEndsAtGuard, kBeginsAtGuard, kAligned };
constexpr Placement kPlacements[] = {kEndsAtGuard, kBeginsAtGuard, kAligned};
inline const char* NameOf(Placement placement) {
  constexpr const char* kNames[] = {"ends at a guard page", "begins at a guard page", "aligned"};
  return kNames[placement];
}

class Guarded {
 public:
  explicit Guarded(size_t most) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_ = (most + 3 * kMargin + page - 1) / page * page;
    void* const whole = mmap(nullptr, size_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED) abort();
    memset(filled_, kFill, kMargin);
    begin_ = static_cast<uint8_t*>(whole) + page;
    if (mprotect(begin_, size_, PROT_READ | PROT_WRITE) != 0) abort();
  }

  // Puts a copy of the bytes where `placement` says. `alignment`, below 64, counts for `kAligned` alone.
  uint8_t* Place(Placement placement, size_t alignment, const void* bytes, size_t length) {
    if (length + 3 * kMargin > size_) abort();
    Release();
    range_ = placement == kEndsAtGuard     ? begin_ + size_ - length
             : placement == kBeginsAtGuard ? begin_
                                           : begin_ + kMargin + alignment;
    length_ = length;
    ahead_ = Least(kMargin, static_cast<size_t>(range_ - begin_));
    behind_ = Least(kMargin, static_cast<size_t>(begin_ + size_ - range_ - length));
    if (length > 0) memcpy(range_, bytes, length);
    memset(range_ - ahead_, kFill, ahead_);
    memset(range_ + length, kFill, behind_);
#ifdef MILLRACE_POISONS
    ASAN_POISON_MEMORY_REGION(range_ - ahead_, ahead_);
    ASAN_POISON_MEMORY_REGION(range_ + length, behind_);
#endif
    return range_;
  }

  // Whether the bytes around the range are what they were. It may be read and written all over again.
  bool IsIntact() {
    Release();
    return IsFilled(range_ - ahead_, ahead_) && IsFilled(range_ + length_, behind_);
  }

 private:
  static constexpr size_t kMargin = 64;
  static constexpr uint8_t kFill = 0xd9;

  static size_t Least(size_t a, size_t b) { return a < b ? a : b; }

  bool IsFilled(const uint8_t* bytes, size_t length) const { return memcmp(bytes, filled_, length) == 0; }

  void Release() {
#ifdef MILLRACE_POISONS
    if (range_ != nullptr) ASAN_UNPOISON_MEMORY_REGION(range_ - ahead_, ahead_ + length_ + behind_);
#endif
  }

  uint8_t filled_[kMargin];
  uint8_t* begin_;
  size_t size_;
  uint8_t* range_ = nullptr;
  size_t length_ = 0;
  size_t ahead_ = 0;
  size_t behind_ = 0;
};

}  // namespace millrace

#endif  // MILLRACE_FUZZ_GUARD_H_
