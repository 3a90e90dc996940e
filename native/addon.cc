// The one file that knows Node-API: takes arguments apart, checks them, calls a kernel.
//
// It uses the C interface throughout: the C++ wrapper around it (node-addon-api) brings std::string and operator
// delete into the binary, and one binary is to serve systems with any C++ runtime or none. Errors are the portable
// tier's, to the word (`src/kernels/portable/check.ts`).

#include <node_api.h>
#include <stdio.h>

#include "kernels.h"

namespace {

constexpr double kInt32Max = 2147483647.0;

// Takes the arguments of one call apart, in order. After the first that is wrong an exception is pending, `ok` is
// false, and what is read from then on is not to be used.
template <size_t kCount>
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = kCount;
    napi_get_cb_info(env, info, &count, values_, nullptr, nullptr);
  }

  bool ok() const { return ok_; }

  struct Bytes {
    uint8_t* data = nullptr;
    size_t length = 0;
  };

  Bytes TakeBytes(const char* name) {
    Bytes bytes;
    if (!TakeArray(napi_uint8_array, reinterpret_cast<void**>(&bytes.data), &bytes.length)) {
      Fail(napi_throw_type_error, "ERR_INVALID_ARG_TYPE", "%s must be a Uint8Array", name);
    }
    return bytes;
  }

  int32_t* TakeTable(size_t least, size_t* places) {
    void* table = nullptr;
    if (!TakeArray(napi_int32_array, &table, places)) {
      Fail(napi_throw_type_error, "ERR_INVALID_ARG_TYPE", "batch must be a FrameBatch");
    } else if (*places < least) {
      Fail(napi_throw_range_error, "ERR_OUT_OF_RANGE", "batch must have room for a row");
    }
    return static_cast<int32_t*>(table);
  }

  double TakeInteger(const char* name, double min, double max) {
    const double value = TakeNumber(name);
    if (ok_ && !(value >= min && value <= max && static_cast<double>(static_cast<int64_t>(value)) == value)) {
      Fail(napi_throw_range_error, "ERR_OUT_OF_RANGE", "%s must be an integer from %.0f to %.0f", name, min, max);
    }
    return value + 0.0;  // so that −0 is told as 0
  }

  double TakeLimit(const char* name) {
    const double value = TakeNumber(name);
    if (ok_ && !(value >= 0)) Fail(napi_throw_range_error, "ERR_OUT_OF_RANGE", "%s must be at least 0", name);
    return value;
  }

  void FailOverlap() {
    Fail(napi_throw_range_error, "ERR_OUT_OF_RANGE", "src and dst must be the same range or not overlap");
  }

 private:
  bool TakeArray(napi_typedarray_type wanted, void** data, size_t* length) {
    napi_typedarray_type type;
    const napi_value value = values_[next_++];
    return ok_ && napi_get_typedarray_info(env_, value, &type, length, data, nullptr, nullptr) == napi_ok &&
           type == wanted;
  }

  double TakeNumber(const char* name) {
    double value = 0;
    const napi_value argument = values_[next_++];
    if (ok_ && napi_get_value_double(env_, argument, &value) != napi_ok) {
      Fail(napi_throw_type_error, "ERR_INVALID_ARG_TYPE", "%s must be a number", name);
    }
    return value;
  }

  template <typename... Parts>
  void Fail(napi_status (*raise)(napi_env, const char*, const char*), const char* code, const char* format,
            Parts... parts) {
    if (!ok_) return;
    ok_ = false;
    char message[128];
    snprintf(message, sizeof(message), format, parts...);
    raise(env_, code, message);
  }

  napi_env env_;
  napi_value values_[kCount];
  size_t next_ = 0;
  bool ok_ = true;
};

double Smaller(double a, double b) { return a < b ? a : b; }

// The bytes of an array that a kernel can address: positions and lengths are 32-bit integers in both tiers.
double Reach(size_t length) { return Smaller(static_cast<double>(length), kInt32Max); }

napi_value Scan(napi_env env, napi_callback_info info) {
  Arguments<6> arguments(env, info);
  const auto chunk = arguments.TakeBytes("chunk");
  const double most = Reach(chunk.length);
  const double from = arguments.TakeInteger("from", 0, most);
  const double to = arguments.TakeInteger("to", from, most);
  size_t places = 0;
  int32_t* const table = arguments.TakeTable(millrace::kBatchRows + millrace::kRowSize, &places);
  const double rules = arguments.TakeInteger("rules", 0, 0xff);
  const double limit = arguments.TakeLimit("limit");
  if (!arguments.ok()) return nullptr;

  const size_t rows = millrace::Scan(chunk.data, static_cast<size_t>(from), static_cast<size_t>(to), table, places,
                                     static_cast<uint32_t>(rules), limit);
  napi_value result;
  napi_create_uint32(env, static_cast<uint32_t>(rows), &result);
  return result;
}

napi_value Mask(napi_env env, napi_callback_info info) {
  Arguments<7> arguments(env, info);
  const auto src = arguments.TakeBytes("src");
  const double src_start = arguments.TakeInteger("srcStart", 0, Reach(src.length));
  const auto dst = arguments.TakeBytes("dst");
  const double dst_start = arguments.TakeInteger("dstStart", 0, Reach(dst.length));
  const double room = Smaller(Reach(src.length) - src_start, Reach(dst.length) - dst_start);
  const double length = arguments.TakeInteger("length", 0, room);
  const double key = arguments.TakeInteger("key", -2147483648.0, 4294967295.0);
  const double phase = arguments.TakeInteger("phase", 0, 3);
  if (!arguments.ok()) return nullptr;

  const uint8_t* const from = src.data + static_cast<size_t>(src_start);
  uint8_t* const to = dst.data + static_cast<size_t>(dst_start);
  const size_t count = static_cast<size_t>(length);
  const uintptr_t a = reinterpret_cast<uintptr_t>(from);
  const uintptr_t b = reinterpret_cast<uintptr_t>(to);
  if (a != b && a < b + count && b < a + count) {
    arguments.FailOverlap();
    return nullptr;
  }
  const uint32_t bits = static_cast<uint32_t>(static_cast<int64_t>(key));
  millrace::Mask(from, to, count, millrace::RotateKey(bits, static_cast<uint32_t>(phase)));
  return nullptr;
}

napi_value Utf8(napi_env env, napi_callback_info info) {
  Arguments<4> arguments(env, info);
  const auto data = arguments.TakeBytes("data");
  const double most = Reach(data.length);
  const double start = arguments.TakeInteger("start", 0, most);
  const double end = arguments.TakeInteger("end", start, most);
  const double state = arguments.TakeInteger("state", 0, millrace::kUtf8States - 1);
  if (!arguments.ok()) return nullptr;

  const uint32_t next = millrace::Utf8(data.data + static_cast<size_t>(start), static_cast<size_t>(end - start),
                                       static_cast<uint32_t>(state));
  napi_value result;
  napi_create_uint32(env, next, &result);
  return result;
}

const char* CompiledFeature() {
#if defined(__SSE2__) || defined(_M_X64)
  return "sse2";
#elif defined(__ARM_NEON) || defined(_M_ARM64)
  return "neon";
#else
  return "scalar";
#endif
}

void Set(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

void SetFunction(napi_env env, napi_value object, const char* name, napi_callback function) {
  napi_value value;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  Set(env, object, name, value);
}

}  // namespace

NAPI_MODULE_INIT() {
  // The version that `src/kernels/native.ts` asks for.
  napi_value version;
  napi_create_uint32(env, 1, &version);
  Set(env, exports, "version", version);

  napi_value feature;
  napi_value features;
  napi_create_string_utf8(env, CompiledFeature(), NAPI_AUTO_LENGTH, &feature);
  napi_create_array_with_length(env, 1, &features);
  napi_set_element(env, features, 0, feature);
  Set(env, exports, "features", features);

  SetFunction(env, exports, "scan", Scan);
  SetFunction(env, exports, "mask", Mask);
  SetFunction(env, exports, "utf8", Utf8);
  return exports;
}
