// Included before every file that sees capnp headers when clang compiles: capnp 0.9.2 compares a const char* with a
// kj::StringPtr, which C++20 clang rejects for want of this operator.
#pragma once
#include <kj/string.h>
namespace kj {
inline bool operator==(const char* a, const StringPtr& b) { return b.operator==(StringPtr(a)); }
}  // namespace kj
