// The one file that knows Node-API: takes arguments apart, checks them, calls a kernel.
//
// It uses the C interface throughout: the C++ wrapper around it (node-addon-api) brings std::string and operator
// delete into the binary, and one binary is to serve systems with any C++ runtime or none.
//
// Arrays are arguments; numbers go in and out through `control`, an array that both sides hold: as an argument each
// would cost a call of Node-API. A call that is refused (a wrong type, a number out of range) does nothing and returns
// false; `src/kernels/native.ts` then lets the portable tier find the words for it.

#include <node_api.h>
#include <stdlib.h>

#include "kernels.h"

#if !defined(_WIN32)
#include <errno.h>
#include <sys/socket.h>

#if !defined(MSG_NOSIGNAL)
// Where it is missing libuv sets the option of that meaning.
#define MSG_NOSIGNAL 0
#endif
#endif

#if defined(__linux__)
// glibc has it, other C libraries do not: there its address is null.
extern "C" int malloc_trim(size_t pad) __attribute__((weak));
#endif

namespace {

using millrace::Variant;

// What lies in the control array: five 32-bit integers, and behind them a number of any size.
struct Control {
  int32_t numbers[6];
  double limit;
};
constexpr size_t kControlPlaces = sizeof(Control) / sizeof(int32_t);

// What a function of the addon is made with.
struct Binding {
  const Variant* variant;
  Control* control;
};

// The bindings of one call of `open`; they live as long as the environment (a thread of JavaScript).
struct Bindings {
  Binding list[millrace::kMostVariants];
  Bindings* older;
};

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;

  // Whether `size` bytes from `start` on lie within the array.
  bool Hold(uint32_t start, uint32_t size) const { return uint64_t{start} + size <= length; }
};

// Positions and lengths are 32-bit integers in both tiers: as an unsigned number a negative one is too large.
constexpr uint32_t kMostBytes = 0x7fffffff;

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

  bool TakeTable(size_t at, int32_t** table, size_t* places) const {
    // For a kind of array that is younger than it, Node leaves the type as it was and reports success.
    napi_typedarray_type type = napi_uint8_array;
    return napi_get_typedarray_info(env, values[at], &type, places, reinterpret_cast<void**>(table), nullptr,
                                    nullptr) == napi_ok &&
           type == napi_int32_array;
  }

  // Of what kind the array is takes several calls to find out here and next to nothing in JavaScript, where it is asked.
  // An array of another kind has at least a byte an element, so that no byte outside of it is touched.
  bool TakeBytes(size_t at, Bytes* bytes) const {
    return napi_get_typedarray_info(env, values[at], nullptr, &bytes->length, reinterpret_cast<void**>(&bytes->data),
                                    nullptr, nullptr) == napi_ok;
  }

  // Another thread may write to the control array while this one reads it: each number is read once.
  uint32_t Number(size_t at) const {
    return static_cast<uint32_t>(*static_cast<const volatile int32_t*>(&binding->control->numbers[at]));
  }
  double Limit() const { return *static_cast<const volatile double*>(&binding->control->limit); }
  void Return(size_t value) const { binding->control->numbers[0] = static_cast<int32_t>(value); }
};

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
  if (!call.TakeBytes(0, &chunk) || !call.TakeTable(1, &table, &places)) return Refuse(env);
  const uint32_t from = call.Number(0);
  const uint32_t to = call.Number(1);
  const uint32_t rules = call.Number(2);
  const double limit = call.Limit();
  if (from > to || to > kMostBytes || to > chunk.length || rules > 0xff || !(limit >= 0) ||
      places < millrace::kBatchRows + millrace::kRowSize) {
    return Refuse(env);
  }
  call.Return(call.binding->variant->scan(chunk.data, from, to, table, places, rules, limit));
  return nullptr;
}

// mask(dst[, src]): dstStart, length, key, phase, srcStart. Without `src` it is done in place.
napi_value Mask(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Bytes dst;
  if (!call.TakeBytes(0, &dst)) return Refuse(env);
  const uint32_t dst_start = call.Number(0);
  const uint32_t length = call.Number(1);
  const uint32_t key = call.Number(2);
  const uint32_t phase = call.Number(3);
  if (dst_start > kMostBytes || length > kMostBytes - dst_start || !dst.Hold(dst_start, length) || phase > 3) {
    return Refuse(env);
  }
  uint8_t* const to = dst.data + dst_start;
  const uint8_t* from = to;
  if (call.count > 1) {
    Bytes src;
    if (!call.TakeBytes(1, &src)) return Refuse(env);
    const uint32_t src_start = call.Number(4);
    if (src_start > kMostBytes || length > kMostBytes - src_start || !src.Hold(src_start, length)) return Refuse(env);
    from = src.data + src_start;
    const uintptr_t a = reinterpret_cast<uintptr_t>(from);
    const uintptr_t b = reinterpret_cast<uintptr_t>(to);
    if (a != b && a < b + length && b < a + length) return Refuse(env);
  }
  call.binding->variant->mask(from, to, length, millrace::RotateKey(key, phase));
  return nullptr;
}

// utf8(data): start, end, state -> state
napi_value Utf8(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Bytes data;
  if (!call.TakeBytes(0, &data)) return Refuse(env);
  const uint32_t start = call.Number(0);
  const uint32_t end = call.Number(1);
  const uint32_t state = call.Number(2);
  if (start > end || end > kMostBytes || end > data.length || state >= millrace::kUtf8States) return Refuse(env);
  call.Return(call.binding->variant->utf8(data.data + start, end - start, state));
  return nullptr;
}

void Set(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

void SetFunction(napi_env env, napi_value object, const char* name, napi_callback function, void* data) {
  napi_value value = nullptr;
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

// The memory of an Int32Array that stays where it is, or null. What is shared cannot be detached, and a reference
// keeps it.
Control* HoldControl(napi_env env, napi_value value) {
  napi_typedarray_type type = napi_uint8_array;
  size_t places = 0;
  void* data = nullptr;
  napi_value buffer = nullptr;
  bool is_detachable = true;
  napi_ref held = nullptr;
  const bool fits = napi_get_typedarray_info(env, value, &type, &places, &data, &buffer, nullptr) == napi_ok &&
                    type == napi_int32_array && places >= kControlPlaces &&
                    reinterpret_cast<uintptr_t>(data) % alignof(Control) == 0 &&
                    napi_is_arraybuffer(env, buffer, &is_detachable) == napi_ok && !is_detachable &&
                    napi_create_reference(env, value, 1, &held) == napi_ok;
  return fits ? static_cast<Control*>(data) : nullptr;
}

// open(control): the variants that this CPU can run, the slowest first.
napi_value Open(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Control* const control = HoldControl(env, call.values[0]);
  Bindings* const bindings = control == nullptr ? nullptr : static_cast<Bindings*>(malloc(sizeof(Bindings)));
  if (bindings == nullptr) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "control must be an Int32Array on shared memory");
    return nullptr;
  }
  void* older = nullptr;
  napi_get_instance_data(env, &older);
  bindings->older = static_cast<Bindings*>(older);
  napi_set_instance_data(env, bindings, FreeBindings, nullptr);

  const millrace::Variants variants = millrace::FindVariants();
  napi_value result = nullptr;
  napi_create_array_with_length(env, variants.count, &result);
  for (size_t i = 0; i < variants.count; i++) {
    Binding* const binding = &bindings->list[i];
    *binding = {variants.list[i], control};
    // A thread that is being ended makes nothing any more: null goes on to calls that then fail alike.
    napi_value variant = nullptr;
    napi_value name = nullptr;
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

#if !defined(_WIN32)
// sendAll(bytes, table): gives the same bytes to many sockets, none of which is waited for. The table holds their number and
// their descriptors, in the place of which it is told how many bytes each has taken, or the number of the error, negative.
napi_value SendAll(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Bytes bytes;
  int32_t* table;
  size_t places;
  if (!call.TakeBytes(0, &bytes) || !call.TakeTable(1, &table, &places) || bytes.length > kMostBytes || places == 0) {
    return Refuse(env);
  }
  const uint32_t count = static_cast<uint32_t>(table[0]);
  if (count >= places) return Refuse(env);
  for (uint32_t i = 1; i <= count; i++) {
    ssize_t sent;
    do {
      sent = send(table[i], bytes.data, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    table[i] = static_cast<int32_t>(sent < 0 ? -errno : sent);
  }
  return nullptr;
}
#endif

#if defined(__linux__)
// trim(): memory that was freed, wherever it lies, is given back to the system.
napi_value Trim(napi_env, napi_callback_info) {
  malloc_trim(0);
  return nullptr;
}
#endif

}  // namespace

NAPI_MODULE_INIT() {
  // The version that `src/kernels/native.ts` asks for.
  napi_value version = nullptr;
  napi_create_uint32(env, 2, &version);
  Set(env, exports, "version", version);
  SetFunction(env, exports, "open", Open, nullptr);
#if !defined(_WIN32)
  SetFunction(env, exports, "sendAll", SendAll, nullptr);
#endif
#if defined(__linux__)
  if (malloc_trim != nullptr) SetFunction(env, exports, "trim", Trim, nullptr);
#endif
  return exports;
}
