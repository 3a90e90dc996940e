// UTF-8 validation (RFC 3629), streaming over any split. What lies between whole blocks is judged by vectors, a few
// bytes by the word, and the seams of a stream by a small automaton.

#ifndef MILLRACE_UTF8_H_
#define MILLRACE_UTF8_H_

#include "bytes.h"
#include "kernels.h"
#include "mask.h"

namespace millrace {
namespace {

// The states of the contract: 0 between characters, 1 rejected, then what the rest of a character must be.
enum State : uint8_t {
  kTail1 = 2,
  kTail2 = 3,
  kTail3 = 4,
  kAfterE0 = 5,
  kAfterEd = 6,
  kAfterF0 = 7,
  kAfterF4 = 8,
};

// The state that follows a state and a byte.
struct Automaton {
  uint8_t next[kUtf8States][256];

  constexpr void Allow(uint32_t state, uint32_t first, uint32_t last, uint32_t to) {
    for (uint32_t byte = first; byte <= last; byte++) next[state][byte] = static_cast<uint8_t>(to);
  }

  constexpr Automaton() : next() {
    for (uint32_t state = 0; state < kUtf8States; state++) Allow(state, 0x00, 0xff, kUtf8Reject);
    Allow(kUtf8Accept, 0x00, 0x7f, kUtf8Accept);
    Allow(kUtf8Accept, 0xc2, 0xdf, kTail1);
    Allow(kUtf8Accept, 0xe0, 0xef, kTail2);
    Allow(kUtf8Accept, 0xe0, 0xe0, kAfterE0);
    Allow(kUtf8Accept, 0xed, 0xed, kAfterEd);
    Allow(kUtf8Accept, 0xf0, 0xf4, kTail3);
    Allow(kUtf8Accept, 0xf0, 0xf0, kAfterF0);
    Allow(kUtf8Accept, 0xf4, 0xf4, kAfterF4);
    Allow(kTail1, 0x80, 0xbf, kUtf8Accept);
    Allow(kTail2, 0x80, 0xbf, kTail1);
    Allow(kTail3, 0x80, 0xbf, kTail2);
    Allow(kAfterE0, 0xa0, 0xbf, kTail1);
    Allow(kAfterEd, 0x80, 0x9f, kTail1);
    Allow(kAfterF0, 0x90, 0xbf, kTail2);
    Allow(kAfterF4, 0x80, 0x8f, kTail2);
  }
};

constexpr Automaton kAutomaton;

inline uint32_t Step(const uint8_t* data, size_t length, uint32_t state) {
  for (size_t at = 0; at < length; at++) state = kAutomaton.next[state][data[at]];
  return state;
}

// Whether the lowest bytes are a character of two, three or four. C0 and C1 lead overlong forms. Behind E0, ED, F0 and
// F4 the second byte is narrower than 80 to BF, and no lead above F4 exists; the few bits that decide it make one small
// number.
inline bool IsTwo(uint64_t bytes) { return (bytes & 0xc0e0) == 0x80c0 && (bytes & 0x1e) != 0; }
inline bool IsThree(uint64_t bytes) {
  if ((bytes & 0xc0c0f0) != 0x8080e0) return false;
  const uint32_t choice = bytes & 0x200f;
  return choice != 0x0000 && choice != 0x200d;
}
inline bool IsFour(uint64_t bytes) {
  if ((bytes & 0xc0c0c0f8) != 0x808080f0) return false;
  const uint32_t plane = (bytes & 0x07) << 2 | ((bytes >> 12) & 0x03);
  return plane >= 1 && plane <= 16;
}

// Validates by the word, from between two characters. Every byte that a character needs is there, so no state is kept
// from one to the next.
inline uint32_t ValidateWords(const uint8_t* data, size_t length) {
  size_t at = 0;
  while (length - at >= 8) {
    const uint64_t bytes = LoadLittleEndian(data + at);
    const uint32_t lead = bytes & 0xff;
    if (lead < 0x80) {
      const uint64_t high = bytes & kHighBits;
      if (high != 0) {
        at += LowestBit(high) / 8;
        continue;
      }
      for (at += 8; length - at >= 32; at += 32) {
        uint64_t words[4];
        memcpy(words, data + at, 32);
        if (((words[0] | words[1] | words[2] | words[3]) & kHighBits) != 0) break;
      }
    } else if (lead < 0xe0) {
      if (!IsTwo(bytes)) return kUtf8Reject;
      at += 2;
    } else if (lead < 0xf0) {
      if (!IsThree(bytes)) return kUtf8Reject;
      // Languages that take three bytes for a character mostly take them for the next one too.
      at += 3;
      if (IsThree(bytes >> 24)) at += 3;
    } else {
      if (!IsFour(bytes)) return kUtf8Reject;
      at += 4;
    }
  }
  return Step(data + at, length - at, kUtf8Accept);
}

// The state behind a text of which every byte has been found to follow from those before it.
inline uint32_t StateAtEnd(const uint8_t* data, size_t length) {
  for (size_t back = 1; back <= 3 && back <= length; back++) {
    const uint8_t byte = data[length - back];
    if (byte < 0x80) return kUtf8Accept;
    if (byte >= 0xc0) return Step(data + length - back, back, kUtf8Accept);
  }
  return kUtf8Accept;
}

// What the loop over a text reads it from: bytes as they are.
template <typename Vector>
struct Plain {
  const uint8_t* data;

  Vector Take(size_t at) const { return Vector::Load(data + at); }
  Vector Peek(size_t at) const { return Take(at); }
  void Put(size_t, Vector) const {}
};

// The same of bytes that are masked, and are unmasked where they lie as they are taken: one pass, not two.
template <typename Vector>
struct Masked {
  uint8_t* data;
  uint32_t key;
  Vector wide;

  Masked(uint8_t* bytes, uint32_t with) : data(bytes), key(with), wide(Vector::Repeat(KeyWord(with, 0))) {}

  Vector Take(size_t at) const {
    const Vector bytes = Vector::Load(data + at) ^ wide;
    bytes.Store(data + at);
    return bytes;
  }
  Vector Peek(size_t at) const { return Vector::Load(data + at) ^ Vector::Repeat(KeyWord(key, at)); }
  void Put(size_t at, Vector bytes) const { bytes.Store(data + at); }
};

// The three bytes ahead of `at` as the highest of a word, and zeros for those ahead of the text. They are read one by
// one: a wider read would wait for more than one write to come through.
inline uint32_t BytesAhead(const uint8_t* data, size_t at) {
  uint32_t word = 0;
  for (size_t back = 1; back <= 3 && back <= at; back++) word |= uint32_t{data[at - back]} << (32 - 8 * back);
  return word;
}

// Reads all of a text of at least a vector, block by block, each judged by itself and the one before it (the range look-up
// of "Validating UTF-8 in less than one instruction per byte", 2021). ASCII that follows ASCII needs no judging. The last
// block ends where the text ends, and is read ahead of everything that may be written over it. Returns
// `kTextAscii`, `kTextInvalid`, or `kTextUtf8`, also where the last character is cut short.
template <typename Vector, typename Source>
inline int32_t Judge(const Source& text, size_t length) {
  constexpr size_t kSize = Vector::kSize;
  const Vector last = text.Peek(length - kSize);
  Vector before = Vector::Zero();
  Vector errors = Vector::Zero();
  bool is_ascii = true;
  size_t at = 0;
  for (; at + 4 * kSize <= length; at += 4 * kSize) {
    const Vector a = text.Take(at);
    const Vector b = text.Take(at + kSize);
    const Vector c = text.Take(at + 2 * kSize);
    const Vector d = text.Take(at + 3 * kSize);
    if (!((before | a) | (b | c) | d).IsAscii()) {
      is_ascii = false;
      errors = errors | (Errors(before, a) | Errors(a, b)) | (Errors(b, c) | Errors(c, d));
    }
    before = d;
  }
  for (; at + kSize <= length; at += kSize) {
    const Vector one = text.Take(at);
    if (!(before | one).IsAscii()) {
      is_ascii = false;
      errors = errors | Errors(before, one);
    }
    before = one;
  }
  if (at < length) {
    text.Put(length - kSize, last);
    if (!(before | last).IsAscii()) {
      is_ascii = false;
      errors = errors | Errors(Vector::EndingIn(BytesAhead(text.data, length - kSize)), last);
    }
  }
  if (is_ascii) return kTextAscii;
  return errors.IsZero() ? kTextUtf8 : kTextInvalid;
}

// `Judge` with the widest vector that a text of at least 16 bytes fills.
template <typename Vector>
inline int32_t JudgePlain(const uint8_t* data, size_t length) {
  if constexpr (Vector::kSize > 16) {
    if (length < Vector::kSize) return JudgePlain<typename Vector::Half>(data, length);
  }
  return Judge<Vector>(Plain<Vector>{data}, length);
}

template <typename Vector>
inline int32_t JudgeMasked(uint8_t* data, size_t length, uint32_t key) {
  if constexpr (Vector::kSize > 16) {
    if (length < Vector::kSize) return JudgeMasked<typename Vector::Half>(data, length, key);
  }
  return Judge<Vector>(Masked<Vector>(data, key), length);
}

// See `Variant::utf8`.
template <typename Vector>
inline uint32_t ValidateBytes(const uint8_t* data, size_t length, uint32_t state) {
  while (state != kUtf8Accept) {
    if (length == 0 || state == kUtf8Reject) return state;
    state = kAutomaton.next[state][*data++];
    length--;
  }
  if constexpr (Vector::kJudges) {
    if (length >= kVectorsFrom) {
      const int32_t text = JudgePlain<Vector>(data, length);
      if (text != kTextUtf8) return text == kTextAscii ? kUtf8Accept : kUtf8Reject;
      return StateAtEnd(data, length);
    }
  }
  return ValidateWords(data, length);
}

// Whether all bytes are ASCII, by the word.
inline bool AreAscii(const uint8_t* data, size_t length) {
  if (length < 8) {
    uint8_t seen = 0;
    for (size_t at = 0; at < length; at++) seen |= data[at];
    return seen < 0x80;
  }
  uint64_t seen = Load<uint64_t>(data + length - 8);
  for (size_t at = 0; at + 8 <= length; at += 8) seen |= Load<uint64_t>(data + at);
  return (seen & kHighBits) == 0;
}

// Whether a whole text is `kTextAscii`, `kTextUtf8` or `kTextInvalid`.
template <typename Vector>
inline int32_t ClassifyText(const uint8_t* data, size_t length) {
  if constexpr (Vector::kJudges) {
    if (length >= kVectorsFrom) {
      const int32_t text = JudgePlain<Vector>(data, length);
      return text == kTextUtf8 && StateAtEnd(data, length) != kUtf8Accept ? kTextInvalid : text;
    }
  }
  if (AreAscii(data, length)) return kTextAscii;
  return ValidateWords(data, length) == kUtf8Accept ? kTextUtf8 : kTextInvalid;
}

// The same of a text that is masked, and is unmasked where it lies.
template <typename Vector>
inline int32_t UnmaskText(uint8_t* data, size_t length, uint32_t key) {
  if constexpr (Vector::kJudges) {
    if (length >= kVectorsFrom) {
      const int32_t text = JudgeMasked<Vector>(data, length, key);
      return text == kTextUtf8 && StateAtEnd(data, length) != kUtf8Accept ? kTextInvalid : text;
    }
  }
  if (MaskBytes<Vector>(data, data, length, key)) return kTextAscii;
  return ValidateBytes<Vector>(data, length, kUtf8Accept) == kUtf8Accept ? kTextUtf8 : kTextInvalid;
}

}  // namespace
}  // namespace millrace

#endif  // MILLRACE_UTF8_H_
