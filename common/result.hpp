// The one error type. What can happen on a healthy node travels as Result<T>; a broken invariant of ours aborts.
#pragma once
#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace fw {

// Small on purpose: one value per meaning that a caller can act on, not per cause.
enum class Errc {
  gone = 1,      // the object was removed (cgroup, process, peer): normal, counted, not logged as an error
  unsupported,   // this kernel, build or peer does not offer it
  permission,    // a privilege is missing, or the peer may not do this
  malformed,     // bytes or text that do not follow their format
  too_large,     // a limit of protocol/limits.hpp or of the configuration was exceeded
  timeout,
  overloaded,    // a bounded queue is full
  io,            // the operating system failed; the context has its words
  not_found,
  conflict,      // the object is not in the state that the request needs
  invalid_argument,
};

const std::error_category& error_category() noexcept;
std::error_code make_error_code(Errc errc) noexcept;

struct Error {
  std::error_code code;   // an Errc, or the system's code
  std::string context;    // "memory.pressure: some: bad number 'x'"

  Error() = default;
  Error(Errc errc, std::string text) : code(make_error_code(errc)), context(std::move(text)) {}
  Error(std::error_code error, std::string text) : code(error), context(std::move(text)) {}

  // "open cgroup: memory.max: Permission denied" for logs and people.
  std::string message() const;
};

template <class T>
using Result = boost::system::result<T, Error>;

// Puts "what: " in front of the context when an error is passed up.
Error with_context(Error error, std::string_view what);

// The error of the last failed system call. ENOENT, ENODEV and ESRCH become Errc::gone, EACCES and EPERM
// Errc::permission, the rest Errc::io; the context ends with the system's text.
Error errno_error(int error_number, std::string_view what);

// Makes boost::system::result<T, Error>::value() throw std::system_error with our text. For tests; code checks has_value().
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& location);

[[noreturn]] void assertion_failed(const char* expression, const char* why, const char* file, int line) noexcept;

}  // namespace fw

template <>
struct std::is_error_code_enum<fw::Errc> : std::true_type {};

// A broken invariant of ours: logs and aborts. Never reachable from input or network.
#define FW_ASSERT(cond, why) \
  ((cond) ? static_cast<void>(0) : ::fw::assertion_failed(#cond, why, __FILE__, __LINE__))
