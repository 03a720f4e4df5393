// A real server on loopback ports with a backend in memory, certificates of a throw-away authority, and a raw client.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "aggregator/api/server.hpp"
#include "common/http/client.hpp"
#include "protocol/transport/pki.hpp"

namespace fw::api::test {

namespace asio = boost::asio;

// Incident INC-7 exists, is explained and open; INC-8 exists and is neither. Everything is recorded.
class FakeBackend final : public Backend {
 public:
  asio::awaitable<Result<std::vector<NodeView>>> nodes() override;
  asio::awaitable<Result<std::vector<changes::Change>>> changes(ChangeFilter filter) override;
  asio::awaitable<Result<std::vector<IncidentView>>> incidents(IncidentFilter filter) override;
  asio::awaitable<Result<IncidentView>> incident(std::int64_t number) override;
  asio::awaitable<Result<std::string>> explanation(std::int64_t number) override;
  asio::awaitable<Result<std::string>> case_file(std::int64_t number) override;
  asio::awaitable<Result<IncidentView>> take(std::int64_t number, std::string person) override;
  asio::awaitable<Result<IncidentView>> add_note(std::int64_t number, std::string person, std::string text) override;
  asio::awaitable<Result<IncidentView>> close(std::int64_t number, std::string person, std::string reason, std::string cause) override;
  asio::awaitable<Result<Stored>> store_change(changes::Change change, std::string delivery_id) override;
  asio::awaitable<Result<std::string>> probe(std::string node, ProbeQuestion question) override;   // node-a is there, node-b away, node-c broken
  std::vector<Check> readiness() override;

  enum class Mood { works, store_full, throws, hangs };
  std::atomic<Mood> mood = Mood::works;          // of store_change and nodes
  std::atomic<bool> ready = true;
  std::vector<std::string> calls() const;         // "take 7 alice"
  std::vector<changes::Change> stored() const;

 private:
  void record(std::string call);
  mutable std::mutex mutex_;                      // tests read from their own thread
  std::vector<std::string> calls_;
  std::map<std::string, changes::Change> rows_;
  std::set<std::string> deliveries_;
};

// Made once per program: making keys takes longer than a test may.
struct Certificates {
  std::filesystem::path dir;
  std::string people_ca, server, server_key;
  struct Client { std::string certificate, key; };
  Client alice, node, stranger, expired;          // node and expired are signed by the people authority, stranger is not
  std::string stranger_ca;
  static const Certificates& get();
};

class ApiTest : public ::testing::Test {
 protected:
  // Before the first use of server(): other limits.
  Limits limits;
  std::string github_secret = "github secret";
  std::string cloudevents_secret = "cloudevents secret";

  ~ApiTest() override;
  Server& server();
  void stop_server();                             // waits until run() has returned
  std::string https(const std::string& path);     // URL
  std::string plain(const std::string& path);
  http::ClientConfig client_config(const Certificates::Client* who = nullptr) const;
  http::Response get(const std::string& path, const Certificates::Client* who = nullptr);
  http::Response post(const std::string& path, std::string body, http::Headers headers = {}, const Certificates::Client* who = nullptr);
  http::Response github(const std::string& event, const std::string& body, const std::string& delivery);

  FakeBackend backend;
  Metrics metrics;
  SystemClock clock;

 private:
  void start();
  asio::io_context context_{1};
  std::unique_ptr<Server> server_;
  std::thread thread_;
  std::atomic<bool> returned_ = false;
};

// Bytes on a socket, with or without TLS. Every read gives up after ten seconds, so that a test fails instead of hanging.
class RawClient {
 public:
  static RawClient tls(std::uint16_t port, const Certificates::Client* who = nullptr);
  static RawClient tcp(std::uint16_t port);
  void send(std::string_view bytes);              // ignores errors: the peer may have closed already
  std::string read_answer();                      // one HTTP answer with its body; "" when the connection ended
  bool closed_by_peer();                          // reads until the end

 private:
  struct Impl;
  explicit RawClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::size_t read_some(char* into, std::size_t size);
  std::shared_ptr<Impl> impl_;
};

int status_of(const std::string& answer);

}  // namespace fw::api::test
