#include "common/result.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace fw {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "fleetwright"; }
  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::gone: return "gone";
      case Errc::unsupported: return "not supported here";
      case Errc::permission: return "permission denied";
      case Errc::malformed: return "malformed";
      case Errc::too_large: return "too large";
      case Errc::timeout: return "timed out";
      case Errc::overloaded: return "overloaded";
      case Errc::io: return "input/output error";
      case Errc::not_found: return "not found";
      case Errc::conflict: return "conflict";
      case Errc::invalid_argument: return "invalid argument";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

std::error_code make_error_code(Errc errc) noexcept { return {static_cast<int>(errc), error_category()}; }

std::string Error::message() const {
  if (context.empty()) return code.message();
  if (code.category() == error_category()) return context;
  return context + ": " + code.message();
}

Error with_context(Error error, std::string_view what) {
  error.context = error.context.empty() ? std::string(what) : std::string(what) + ": " + error.context;
  return error;
}

Error errno_error(int error_number, std::string_view what) {
  Errc errc = Errc::io;
  switch (error_number) {
    case ENOENT:
    case ENODEV:
    case ESRCH: errc = Errc::gone; break;
    case EACCES:
    case EPERM: errc = Errc::permission; break;
    case ETIMEDOUT: errc = Errc::timeout; break;
    case EOPNOTSUPP:
    case ENOSYS: errc = Errc::unsupported; break;
    default: break;
  }
  return {errc, std::string(what) + ": " + std::generic_category().message(error_number)};
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::system_error(error.code, error.context);
}

void assertion_failed(const char* expression, const char* why, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: assertion failed: %s (%s)\n", file, line, expression, why);
  std::abort();
}

}  // namespace fw
