#include "inputs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::CompareUtf8(millrace::ReadUtf8Case(data, size));
  return 0;
}
