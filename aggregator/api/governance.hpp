// What the HTTP server asks of plans, approvals, policies and the audit log. Documents and signatures pass through it as the bytes that
// were signed; aggregator/app knows what they mean.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/bytes.hpp"
#include "common/result.hpp"

namespace fw::api {

struct Caller { std::string person, address; };
struct SignatureText { std::string key, algorithm; Bytes bytes; };   // key: hex; algorithm: "ed25519", ...

struct PlanFilter { std::optional<std::int64_t> incident; bool all = false; std::size_t limit = 100; };

// A body, or why not: code is the refusal's, "" where there is none.
struct Answer {
  Result<std::string> body = std::string();
  std::string code = {};
};

// All awaitable methods run on the server's executor and may suspend; answers are JSON except where it says so.
class Governance {
 public:
  virtual ~Governance() = default;

  virtual boost::asio::awaitable<Answer> plans(PlanFilter filter) = 0;
  virtual boost::asio::awaitable<Answer> plan(std::string digest) = 0;
  virtual boost::asio::awaitable<Answer> edit(Caller caller, Bytes document, std::uint8_t action_class, std::string replaces) = 0;
  virtual boost::asio::awaitable<Answer> vote(Caller caller, std::string digest, Bytes document, SignatureText signature) = 0;
  virtual boost::asio::awaitable<Answer> undo(Caller caller, std::string digest) = 0;
  virtual boost::asio::awaitable<Answer> extend(Caller caller, std::string digest, std::uint64_t ttl_ms) = 0;

  virtual boost::asio::awaitable<Answer> statements() = 0;
  virtual boost::asio::awaitable<Answer> sign_statement(Caller caller, Bytes document, SignatureText signature) = 0;
  virtual boost::asio::awaitable<Answer> standing_approvals() = 0;
  virtual boost::asio::awaitable<Answer> sign_standing(Caller caller, Bytes document, SignatureText signature) = 0;
  virtual boost::asio::awaitable<Answer> policy() = 0;
  virtual boost::asio::awaitable<Answer> load_policy(Caller caller, Bytes document, std::vector<SignatureText> signatures) = 0;

  virtual boost::asio::awaitable<Answer> checkpoint() = 0;                                        // the note as it is
  virtual boost::asio::awaitable<Answer> entries(std::uint64_t from, std::size_t limit) = 0;      // lines
  virtual boost::asio::awaitable<Answer> proof(std::uint64_t index, std::uint64_t size) = 0;
  virtual boost::asio::awaitable<Answer> consistency(std::uint64_t from, std::uint64_t to) = 0;
  virtual boost::asio::awaitable<Answer> witnesses() = 0;

  // For the audit log: a log-in ("session.opened") or a refused call ("call.refused"). Never waits.
  virtual void record(std::string_view verb, const Caller& caller, std::string_view object, std::string_view code) = 0;
};

}  // namespace fw::api
