{
  "targets": [
    {
      "target_name": "millrace",
      "sources": [
        "native/addon.cc",
        "native/cpu.cc",
        "native/variants/scalar.cc",
        "native/variants/sse2.cc",
        "native/variants/avx2.cc",
        "native/variants/avx512.cc",
        "native/variants/neon.cc"
      ],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc!": ["-fno-omit-frame-pointer", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++17",
        "-O3",
        "-fno-exceptions",
        "-fno-rtti",
        "-fno-threadsafe-statics",
        "-fvisibility=hidden",
        "-Wall",
        "-Wextra"
      ],
      "xcode_settings": {
        "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
        "GCC_OPTIMIZATION_LEVEL": "3",
        "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
        "GCC_ENABLE_CPP_RTTI": "NO",
        "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
        "MACOSX_DEPLOYMENT_TARGET": "11.0"
      },
      "msvs_settings": {
        "VCCLCompilerTool": { "ExceptionHandling": 0, "RuntimeTypeInfo": "false", "Optimization": 2 }
      },
      "conditions": [
        ["OS=='linux'", { "ldflags": ["-Wl,--as-needed"] }]
      ]
    }
  ]
}
