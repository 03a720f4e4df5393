#include "protocol/authority/documents.hpp"

#include <limits>


namespace fw::authority {
namespace {

// "max" of a control file is read as kUnlimited, but it is more than every number.
bool is_limit(Probe probe) {
  return probe == Probe::memory_limit_bytes || probe == Probe::memory_high_bytes || probe == Probe::cpu_quota_us || probe == Probe::pids_max;
}

constexpr std::array kComparisons = {"=", "!=", "<", "<=", ">", ">="};

}  // namespace

std::int64_t max_life_ms(const Statement& statement) noexcept {
  return std::holds_alternative<NewOrigin>(statement.body) ? kMaxNewOriginLifeMs : kMaxStatementLifeMs;
}

Nonce make_nonce() {
  Nonce out{};
  fill_random(out);
  return out;
}

std::string Person::str() const { return issuer == "local" ? subject : subject + "@" + issuer; }

bool holds(const Check& check, std::int64_t read) noexcept {
  const auto as_number = [&](std::int64_t value) {
    return is_limit(check.probe) && value == kUnlimited ? std::numeric_limits<std::int64_t>::max() : value;
  };
  const auto left = as_number(read);
  const auto right = as_number(check.value);
  switch (check.comparison) {
    case Comparison::equal: return left == right;
    case Comparison::not_equal: return left != right;
    case Comparison::less: return left < right;
    case Comparison::less_or_equal: return left <= right;
    case Comparison::greater: return left > right;
    case Comparison::greater_or_equal: return left >= right;
  }
  return false;
}

std::string_view to_string(Probe probe) {
  switch (probe) {
    case Probe::unknown: break;
    case Probe::memory_limit_bytes: return "memory_limit_bytes";
    case Probe::memory_high_bytes: return "memory_high_bytes";
    case Probe::memory_current_bytes: return "memory_current_bytes";
    case Probe::cpu_quota_us: return "cpu_quota_us";
    case Probe::cpu_weight: return "cpu_weight";
    case Probe::pids_max: return "pids_max";
    case Probe::pids_current: return "pids_current";
    case Probe::frozen: return "frozen";
    case Probe::populated: return "populated";
    case Probe::process_alive: return "process_alive";
    case Probe::sysctl_value: return "sysctl_value";
    case Probe::file_bytes: return "file_bytes";
    case Probe::node_available_bytes: return "node_available_bytes";
  }
  return "unknown";
}

std::string to_string(const Check& check) {
  const auto comparison = static_cast<std::size_t>(check.comparison);
  FW_ASSERT(comparison < kComparisons.size(), "not a comparison");
  const bool unlimited = is_limit(check.probe) && check.value == kUnlimited;
  return std::string(to_string(check.probe)) + " " + kComparisons[comparison] + " " + (unlimited ? "max" : std::to_string(check.value));
}

std::string_view to_string(Profile profile) {
  switch (profile) {
    case Profile::solo: return "solo";
    case Profile::team: return "team";
    case Profile::enterprise: return "enterprise";
  }
  return "unknown";
}

std::string_view to_string(State state) {
  switch (state) {
    case State::unset: break;
    case State::received: return "RECEIVED";
    case State::verified: return "VERIFIED";
    case State::claimed: return "CLAIMED";
    case State::done: return "DONE";
    case State::failed: return "FAILED";
    case State::unknown: return "UNKNOWN";
    case State::refused: return "REFUSED";
    case State::expired: return "EXPIRED";
  }
  return "UNSET";
}

bool is_final(State state) noexcept {
  return state == State::done || state == State::failed || state == State::unknown || state == State::refused || state == State::expired;
}

}  // namespace fw::authority
