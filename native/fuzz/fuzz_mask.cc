#include "inputs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::CompareMask(millrace::ReadMaskCase(data, size));
  return 0;
}
