// The kernels over one kind of vector, as functions that can be pointed at.

#ifndef MILLRACE_VARIANT_H_
#define MILLRACE_VARIANT_H_

#include "kernels.h"
#include "mask.h"
#include "scan.h"
#include "utf8.h"

namespace millrace {
namespace {

template <typename Vector>
size_t ScanWith(uint8_t* chunk, size_t from, size_t to, int32_t* table, size_t places, uint32_t rules, double limit) {
  return ScanFrames<Vector>(chunk, from, to, table, places, rules, limit);
}

template <typename Vector>
void MaskWith(const uint8_t* src, uint8_t* dst, size_t length, uint32_t key) {
  MaskBytes<Vector>(src, dst, length, key);
}

template <typename Vector>
uint32_t Utf8With(const uint8_t* data, size_t length, uint32_t state) {
  return ValidateBytes<Vector>(data, length, state);
}

}  // namespace
}  // namespace millrace

#define MILLRACE_VARIANT(variable, name, Vector) \
  const Variant variable = {name, ScanWith<Vector>, MaskWith<Vector>, Utf8With<Vector>}

#endif  // MILLRACE_VARIANT_H_
