// The HTTP server's view of plans and the audit log, on the governor.
#pragma once
#include "aggregator/api/governance.hpp"
#include "aggregator/app/coordinator.hpp"
#include "aggregator/app/governor.hpp"

namespace fw::app {

// Threading: methods run on the server's executor and hop to the coordinator's, or to the log's thread. record(): any thread.
class GovernanceBackend final : public api::Governance {
 public:
  GovernanceBackend(Coordinator& coordinator, Governor& governor) : coordinator_(coordinator), governor_(governor) {}

  boost::asio::awaitable<api::Answer> plans(api::PlanFilter filter) override;
  boost::asio::awaitable<api::Answer> plan(std::string digest) override;
  boost::asio::awaitable<api::Answer> edit(api::Caller caller, Bytes document, std::uint8_t action_class, std::string replaces) override;
  boost::asio::awaitable<api::Answer> vote(api::Caller caller, std::string digest, Bytes document, api::SignatureText signature) override;
  boost::asio::awaitable<api::Answer> undo(api::Caller caller, std::string digest) override;
  boost::asio::awaitable<api::Answer> extend(api::Caller caller, std::string digest, std::uint64_t ttl_ms) override;
  boost::asio::awaitable<api::Answer> statements() override;
  boost::asio::awaitable<api::Answer> sign_statement(api::Caller caller, Bytes document, api::SignatureText signature) override;
  boost::asio::awaitable<api::Answer> standing_approvals() override;
  boost::asio::awaitable<api::Answer> sign_standing(api::Caller caller, Bytes document, api::SignatureText signature) override;
  boost::asio::awaitable<api::Answer> policy() override;
  boost::asio::awaitable<api::Answer> load_policy(api::Caller caller, Bytes document, std::vector<api::SignatureText> signatures) override;
  boost::asio::awaitable<api::Answer> checkpoint() override;
  boost::asio::awaitable<api::Answer> entries(std::uint64_t from, std::size_t limit) override;
  boost::asio::awaitable<api::Answer> proof(std::uint64_t index, std::uint64_t size) override;
  boost::asio::awaitable<api::Answer> consistency(std::uint64_t from, std::uint64_t to) override;
  boost::asio::awaitable<api::Answer> witnesses() override;
  void record(std::string_view verb, const api::Caller& caller, std::string_view object, std::string_view code) override;

 private:
  using Read = std::function<api::Answer(const governance::Core&)>;
  using Command = std::function<governance::Reply(governance::Core&)>;
  using Show = std::function<std::string(const authority::Digest&)>;
  boost::asio::awaitable<api::Answer> read(Read read);
  // A command on a plan that its digest, or the beginning of it, names.
  boost::asio::awaitable<api::Answer> on_plan(std::string digest, std::function<governance::Reply(governance::Core&, const authority::Digest&)> command);
  // Answers when what was decided is durable.
  boost::asio::awaitable<api::Answer> command(Command command, Show show);
  std::string node_name(const Uuid& node) const;
  std::string show_plan(const authority::Digest& digest) const;
  std::string show_document(const authority::Digest& digest) const;

  Coordinator& coordinator_;
  Governor& governor_;
};

}  // namespace fw::app
