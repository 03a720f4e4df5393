// What a command says when it cannot do its work: what failed, why, and what to do.
#pragma once
#include <boost/system/result.hpp>
#include <string>
#include <string_view>

#include "common/exit_code.hpp"
#include "common/result.hpp"

namespace fw::cli {

struct Failure {
  Failure() = default;
  Failure(ExitCode exit_code, std::string what_failed, std::string reason = {}, std::string advice = {})
      : code(exit_code), what(std::move(what_failed)), why(std::move(reason)), fix(std::move(advice)) {}

  ExitCode code = ExitCode::failure;
  std::string what;  // "cannot reach the server https://127.0.0.1:7443"
  std::string why;   // "connection refused"; may be empty
  std::string fix;   // one sentence or command; may be empty
};

template <class T>
using Outcome = boost::system::result<T, Failure>;

// "fleetwright: WHAT: WHY\n  fix: FIX\n", escaped.
std::string render_failure(const Failure& failure);

// A local error (a file, a case file): its context is the why.
Failure failure_of(const Error& error, std::string_view what, std::string_view fix = {});

}  // namespace fw::cli
