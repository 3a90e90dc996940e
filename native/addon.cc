// The one file that knows Node-API: takes arguments apart, checks them, calls a kernel.
//
// It uses the C interface throughout: the C++ wrapper around it (node-addon-api) brings std::string and operator
// delete into the binary, and one binary is to serve systems with any C++ runtime or none.
//
// Arrays are arguments; numbers go in and out through `control`, an array that both sides hold: a number costs a
// crossing 6 ns as an argument and nothing there. A call that is refused (a wrong type, a number out of range) does
// nothing and returns false; `src/kernels/native.ts` then lets the portable tier find the words for it.

#include <node_api.h>
#include <stdlib.h>

#include "kernels.h"

namespace {

using millrace::Variant;

constexpr size_t kControlPlaces = 5;
constexpr double kInt32Max = 2147483647.0;

// What a function of the addon is made with.
struct Binding {
  const Variant* variant;
  double* control;
};

// The bindings of one call of `open`; they live as long as the environment (a thread of JavaScript).
struct Bindings {
  Binding list[millrace::kMostVariants];
  Bindings* older;
};

struct Bytes {
  uint8_t* data = nullptr;
  double length = 0;
};

// The arrays of a call, and the binding of the function that is called.
template <size_t kCount>
struct Call {
  napi_env env;
  size_t count = kCount;
  napi_value values[kCount];
  Binding* binding = nullptr;

  Call(napi_env of, napi_callback_info info) : env(of) {
    napi_get_cb_info(env, info, &count, values, nullptr, reinterpret_cast<void**>(&binding));
  }

  template <typename Element>
  bool TakeArray(size_t at, napi_typedarray_type wanted, Element** data, size_t* length) const {
    napi_typedarray_type type;
    return napi_get_typedarray_info(env, values[at], &type, length, reinterpret_cast<void**>(data), nullptr,
                                    nullptr) == napi_ok &&
           type == wanted;
  }

  bool TakeBytes(size_t at, Bytes* bytes) const {
    size_t length;
    if (!TakeArray(at, napi_uint8_array, &bytes->data, &length)) return false;
    // Positions and lengths are 32-bit integers in both tiers.
    bytes->length = length < kInt32Max ? static_cast<double>(length) : kInt32Max;
    return true;
  }

  // Another thread may write to the control array while this one reads it: each number is read once.
  double Number(size_t at) const { return binding->control[at]; }
  void Return(double value) const { binding->control[0] = value; }
};

bool IsInteger(double value, double min, double max) {
  return value >= min && value <= max && static_cast<double>(static_cast<int64_t>(value)) == value;
}

napi_value Refuse(napi_env env) {
  napi_value refused = nullptr;
  napi_get_boolean(env, false, &refused);
  return refused;
}

// scan(chunk, table): from, to, rules, limit -> rows
napi_value Scan(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Bytes chunk;
  int32_t* table;
  size_t places;
  if (!call.TakeBytes(0, &chunk) || !call.TakeArray(1, napi_int32_array, &table, &places)) return Refuse(env);
  const double from = call.Number(0);
  const double to = call.Number(1);
  const double rules = call.Number(2);
  const double limit = call.Number(3);
  if (!IsInteger(to, 0, chunk.length) || !IsInteger(from, 0, to) || !IsInteger(rules, 0, 0xff) || !(limit >= 0) ||
      places < millrace::kBatchRows + millrace::kRowSize) {
    return Refuse(env);
  }
  const size_t rows = call.binding->variant->scan(chunk.data, static_cast<size_t>(from), static_cast<size_t>(to),
                                                  table, places, static_cast<uint32_t>(rules), limit);
  call.Return(static_cast<double>(rows));
  return nullptr;
}

// mask(dst[, src]): dstStart, length, key, phase, srcStart. Without `src` it is done in place.
napi_value Mask(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Bytes dst;
  if (!call.TakeBytes(0, &dst)) return Refuse(env);
  const double dst_start = call.Number(0);
  const double length = call.Number(1);
  const double key = call.Number(2);
  const double phase = call.Number(3);
  if (!IsInteger(dst_start, 0, dst.length) || !IsInteger(length, 0, dst.length - dst_start) ||
      !IsInteger(key, -2147483648.0, 4294967295.0) || !IsInteger(phase, 0, 3)) {
    return Refuse(env);
  }
  uint8_t* const to = dst.data + static_cast<size_t>(dst_start);
  const size_t count = static_cast<size_t>(length);
  const uint8_t* from = to;
  if (call.count > 1) {
    Bytes src;
    if (!call.TakeBytes(1, &src)) return Refuse(env);
    const double src_start = call.Number(4);
    if (!IsInteger(src_start, 0, src.length) || !IsInteger(length, 0, src.length - src_start)) return Refuse(env);
    from = src.data + static_cast<size_t>(src_start);
    const uintptr_t a = reinterpret_cast<uintptr_t>(from);
    const uintptr_t b = reinterpret_cast<uintptr_t>(to);
    if (a != b && a < b + count && b < a + count) return Refuse(env);
  }
  const uint32_t bits = static_cast<uint32_t>(static_cast<int64_t>(key));
  call.binding->variant->mask(from, to, count, millrace::RotateKey(bits, static_cast<uint32_t>(phase)));
  return nullptr;
}

// utf8(data): start, end, state -> state
napi_value Utf8(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Bytes data;
  if (!call.TakeBytes(0, &data)) return Refuse(env);
  const double start = call.Number(0);
  const double end = call.Number(1);
  const double state = call.Number(2);
  if (!IsInteger(end, 0, data.length) || !IsInteger(start, 0, end) ||
      !IsInteger(state, 0, millrace::kUtf8States - 1)) {
    return Refuse(env);
  }
  call.Return(call.binding->variant->utf8(data.data + static_cast<size_t>(start), static_cast<size_t>(end - start),
                                          static_cast<uint32_t>(state)));
  return nullptr;
}

void Set(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

void SetFunction(napi_env env, napi_value object, const char* name, napi_callback function, void* data) {
  napi_value value;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, data, &value);
  Set(env, object, name, value);
}

void FreeBindings(napi_env, void* data, void*) {
  for (Bindings* one = static_cast<Bindings*>(data); one != nullptr;) {
    Bindings* const older = one->older;
    free(one);
    one = older;
  }
}

// The memory of a Float64Array that stays where it is, or null. What is shared cannot be detached, and a reference
// keeps it.
double* HoldControl(napi_env env, napi_value value) {
  napi_typedarray_type type;
  size_t places;
  void* data;
  napi_value buffer;
  bool is_detachable;
  napi_ref held;
  const bool fits = napi_get_typedarray_info(env, value, &type, &places, &data, &buffer, nullptr) == napi_ok &&
                    type == napi_float64_array && places >= kControlPlaces &&
                    napi_is_arraybuffer(env, buffer, &is_detachable) == napi_ok && !is_detachable &&
                    napi_create_reference(env, value, 1, &held) == napi_ok;
  return fits ? static_cast<double*>(data) : nullptr;
}

// open(control): the variants that this CPU can run, the slowest first.
napi_value Open(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  double* const control = HoldControl(env, call.values[0]);
  Bindings* const bindings = control == nullptr ? nullptr : static_cast<Bindings*>(malloc(sizeof(Bindings)));
  if (bindings == nullptr) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "control must be a Float64Array on shared memory");
    return nullptr;
  }
  void* older = nullptr;
  napi_get_instance_data(env, &older);
  bindings->older = static_cast<Bindings*>(older);
  napi_set_instance_data(env, bindings, FreeBindings, nullptr);

  const millrace::Variants variants = millrace::FindVariants();
  napi_value result;
  napi_create_array_with_length(env, variants.count, &result);
  for (size_t i = 0; i < variants.count; i++) {
    Binding* const binding = &bindings->list[i];
    *binding = {variants.list[i], control};
    napi_value variant;
    napi_value name;
    napi_create_object(env, &variant);
    napi_create_string_utf8(env, variants.list[i]->name, NAPI_AUTO_LENGTH, &name);
    Set(env, variant, "name", name);
    SetFunction(env, variant, "scan", Scan, binding);
    SetFunction(env, variant, "mask", Mask, binding);
    SetFunction(env, variant, "utf8", Utf8, binding);
    napi_set_element(env, result, static_cast<uint32_t>(i), variant);
  }
  return result;
}

}  // namespace

NAPI_MODULE_INIT() {
  // The version that `src/kernels/native.ts` asks for.
  napi_value version;
  napi_create_uint32(env, 2, &version);
  Set(env, exports, "version", version);
  SetFunction(env, exports, "open", Open, nullptr);
  return exports;
}
