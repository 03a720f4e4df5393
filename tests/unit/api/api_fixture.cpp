#include "tests/unit/api/api_fixture.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <optional>
#include <stdexcept>

#include "aggregator/changes/received.hpp"
#include "aggregator/changes/signature.hpp"

namespace fw::api::test {

namespace fs = std::filesystem;

namespace {

IncidentView incident_seven() {
  IncidentView view;
  view.number = 7;
  view.uid = "u";
  view.severity = "critical";
  view.state = "explained";
  view.scope = "checkout";
  return view;
}

Error no_such_incident() { return {Errc::not_found, "no such incident"}; }

}  // namespace

void FakeBackend::record(std::string call) {
  const std::lock_guard lock(mutex_);
  calls_.push_back(std::move(call));
}

std::vector<std::string> FakeBackend::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::vector<changes::Change> FakeBackend::stored() const {
  const std::lock_guard lock(mutex_);
  std::vector<changes::Change> out;
  for (const auto& [key, change] : rows_) out.push_back(change);
  return out;
}

asio::awaitable<Result<std::vector<NodeView>>> FakeBackend::nodes() {
  if (mood == Mood::throws) throw std::runtime_error("a secret of the inside");
  if (mood == Mood::hangs) {
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
  }
  co_return std::vector<NodeView>{NodeView{}};
}

asio::awaitable<Result<std::string>> FakeBackend::probe(std::string node, ProbeQuestion question) {
  std::string call = "probe " + node + " " + question.kind + " '" + question.target + "' " + std::to_string(question.limit_ms);
  for (const auto& [name, value] : question.arguments) call += " " + name + "=" + value;
  record(std::move(call));
  if (node == "node-b") co_return Error(Errc::gone, "the node is not connected");
  if (node == "node-c") co_return std::string("no JSON");
  if (question.kind == "busy") co_return Error(Errc::overloaded, "try again soon");
  if (question.kind == "slow") co_return Error(Errc::timeout, "the node did not answer in time");
  if (question.kind == "nothing") co_return Error(Errc::invalid_argument, "no probe of this name: nothing");
  co_return std::string(R"({"kind":"process_table","rows":[]})");
}

asio::awaitable<Result<std::vector<changes::Change>>> FakeBackend::changes(ChangeFilter filter) {
  record("changes " + std::to_string(filter.limit) + " " + std::to_string(filter.since_ns.value_or(-1)));
  co_return stored();
}

asio::awaitable<Result<std::vector<IncidentView>>> FakeBackend::incidents(IncidentFilter filter) {
  record("incidents " + std::to_string(filter.limit) + (filter.include_closed ? " all" : " open"));
  co_return std::vector<IncidentView>{incident_seven()};
}

asio::awaitable<Result<IncidentView>> FakeBackend::incident(std::int64_t number) {
  if (number != 7) co_return no_such_incident();
  co_return incident_seven();
}

asio::awaitable<Result<std::string>> FakeBackend::explanation(std::int64_t number) {
  if (number == 8) co_return Error(Errc::conflict, "not yet explained");
  if (number != 7) co_return no_such_incident();
  co_return std::string(R"({"engine": "1", "verdict": "it was the limit"})");
}

asio::awaitable<Result<std::string>> FakeBackend::case_file(std::int64_t number) {
  if (number != 7) co_return no_such_incident();
  co_return std::string("SQLite format 3\0...", 19);
}

asio::awaitable<Result<IncidentView>> FakeBackend::take(std::int64_t number, std::string person) {
  if (number != 7) co_return no_such_incident();
  record("take 7 " + person);
  co_return incident_seven();
}

asio::awaitable<Result<IncidentView>> FakeBackend::add_note(std::int64_t number, std::string person, std::string text) {
  if (number != 7) co_return no_such_incident();
  record("note 7 " + person + " " + text);
  co_return incident_seven();
}

asio::awaitable<Result<IncidentView>> FakeBackend::close(std::int64_t number, std::string person, std::string reason, std::string cause) {
  if (number != 7) co_return no_such_incident();
  record("close 7 " + person + " " + reason + " " + cause);
  co_return incident_seven();
}

asio::awaitable<Result<Backend::Stored>> FakeBackend::store_change(changes::Change change, std::string delivery_id) {
  if (mood == Mood::store_full) co_return Error(Errc::overloaded, "the store's queue is full");
  const std::lock_guard lock(mutex_);
  if (!delivery_id.empty() && !deliveries_.insert(change.source + delivery_id).second) co_return Stored::duplicate;
  const std::string key = change.source + change.source_key;
  const auto row = rows_.find(key);
  if (row == rows_.end()) {
    rows_.emplace(key, std::move(change));
    co_return Stored::created;
  }
  row->second = changes::merge(row->second, std::move(change));
  co_return Stored::updated;
}

std::vector<Backend::Check> FakeBackend::readiness() { return {{"store", ready, ready ? "" : "disk full"}}; }

const Certificates& Certificates::get() {
  static const Certificates made = [] {
    Certificates c;
    std::string pattern = (fs::temp_directory_path() / "fw-api-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    c.dir = pattern;
    const auto now = SystemClock().wall_ns();
    const auto valid = transport::Validity::from(now, std::chrono::hours{24});
    const transport::Validity over{now - 2 * 3'600 * kNsPerSecond, now - 3'600 * kNsPerSecond};
    const auto people = transport::make_ca("people", valid).value();
    const auto others = transport::make_ca("others", valid).value();
    const auto write = [&](const transport::PemPair& pair, const std::string& name) {
      Client files{c.dir / (name + ".pem"), c.dir / (name + ".key")};
      const auto written = transport::write_pem_pair(pair, files.certificate, files.key);
      if (written.has_error()) throw std::runtime_error(written.error().message());
      return files;
    };
    const auto issue = [&](const transport::PemPair& ca, transport::PeerIdentity::Kind role, const std::string& name, transport::Validity validity) {
      transport::CertificateRequest request;
      request.role = role;
      request.name = name;
      if (role == transport::PeerIdentity::Kind::node) request.node_uid = make_uuid_v4();
      if (role == transport::PeerIdentity::Kind::server) request.server_names = {"localhost", "127.0.0.1"};
      request.validity = validity;
      return write(transport::issue_certificate(ca, request).value(), name);
    };
    using Kind = transport::PeerIdentity::Kind;
    c.people_ca = write(people, "people-ca").certificate;
    c.stranger_ca = write(others, "others-ca").certificate;
    const auto server = issue(people, Kind::server, "server", valid);
    c.server = server.certificate;
    c.server_key = server.key;
    c.alice = issue(people, Kind::person, "alice", valid);
    c.node = issue(people, Kind::node, "node-a", valid);
    c.stranger = issue(others, Kind::person, "stranger", valid);
    c.expired = issue(people, Kind::person, "expired", over);
    return c;
  }();
  static const struct Cleanup {
    ~Cleanup() {
      std::error_code ignored;
      fs::remove_all(made.dir, ignored);
    }
  } cleanup;
  return made;
}

ApiTest::~ApiTest() { stop_server(); }

Server& ApiTest::server() {
  if (!server_) start();
  return *server_;
}

void ApiTest::start() {
  const auto& files = Certificates::get();
  ServerConfig config;
  config.https_address = "127.0.0.1";
  config.tls = {files.server, files.server_key, files.people_ca};
  config.github_secret = github_secret;
  config.cloudevents_secret = cloudevents_secret;
  config.limits = limits;
  server_ = std::move(Server::open(context_.get_executor(), config, {.backend = backend, .governance = nullptr, .metrics = metrics, .clock = clock}).value());
  asio::co_spawn(context_, server_->run(), [this](std::exception_ptr thrown, const Result<void>& result) { returned_ = !thrown && result.has_value(); });
  thread_ = std::thread([this] { context_.run(); });
}

void ApiTest::stop_server() {
  if (!thread_.joinable()) return;
  asio::post(context_, [this] { server_->stop(); });
  thread_.join();   // run() has returned and no coroutine is left, else the context would not run dry
  EXPECT_TRUE(returned_);
}

std::string ApiTest::https(const std::string& path) { return "https://127.0.0.1:" + std::to_string(server().https_port()) + path; }
std::string ApiTest::plain(const std::string& path) { return "http://127.0.0.1:" + std::to_string(server().plain_port()) + path; }

http::ClientConfig ApiTest::client_config(const Certificates::Client* who) const {
  http::ClientConfig config;
  config.ca_file = Certificates::get().people_ca;
  config.plain = http::Plain::loopback_only;
  if (who != nullptr) {
    config.certificate_file = who->certificate;
    config.key_file = who->key;
  }
  return config;
}

http::Response ApiTest::get(const std::string& path, const Certificates::Client* who) {
  http::Client client(client_config(who));
  auto response = client.get(https(path));
  if (response.has_error()) ADD_FAILURE() << path << ": " << response.error().message();
  return response.has_error() ? http::Response{} : std::move(*response);
}

http::Response ApiTest::post(const std::string& path, std::string body, http::Headers headers, const Certificates::Client* who) {
  http::Client client(client_config(who));
  auto response = client.send({"POST", https(path), std::move(headers), std::move(body)});
  if (response.has_error()) ADD_FAILURE() << path << ": " << response.error().message();
  return response.has_error() ? http::Response{} : std::move(*response);
}

http::Response ApiTest::github(const std::string& event, const std::string& body, const std::string& delivery) {
  return post("/webhooks/github", body,
              {{"Content-Type", "application/json"}, {"X-GitHub-Event", event}, {"X-GitHub-Delivery", delivery},
               {"X-Hub-Signature-256", changes::make_signature(github_secret, body)}});
}

struct RawClient::Impl {
  asio::io_context context;
  asio::ssl::context tls_context{asio::ssl::context::tls_client};
  // Made after the context is complete; with TLS or not, the socket is its lowest layer.
  std::optional<asio::ssl::stream<asio::ip::tcp::socket>> stream;
  bool tls = false;
  std::string buffer;

  void connect(std::uint16_t port) {
    stream.emplace(context, tls_context);
    auto& socket = stream->next_layer();
    socket.connect({asio::ip::address_v4::loopback(), port});
    socket.set_option(asio::ip::tcp::no_delay(true));
    const timeval limit{10, 0};
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
};

RawClient RawClient::tcp(std::uint16_t port) {
  auto impl = std::make_shared<Impl>();
  impl->connect(port);
  return RawClient(std::move(impl));
}

RawClient RawClient::tls(std::uint16_t port, const Certificates::Client* who) {
  auto impl = std::make_shared<Impl>();
  impl->tls_context.load_verify_file(Certificates::get().people_ca);
  impl->tls_context.set_verify_mode(asio::ssl::verify_peer);
  if (who != nullptr) {
    impl->tls_context.use_certificate_file(who->certificate, asio::ssl::context::pem);
    impl->tls_context.use_private_key_file(who->key, asio::ssl::context::pem);
  }
  impl->connect(port);
  impl->tls = true;
  impl->stream->handshake(asio::ssl::stream_base::client);
  return RawClient(std::move(impl));
}

void RawClient::send(std::string_view bytes) {
  boost::system::error_code ignored;
  const auto buffer = asio::buffer(bytes.data(), bytes.size());
  if (impl_->tls) {
    asio::write(*impl_->stream, buffer, ignored);
  } else {
    asio::write(impl_->stream->next_layer(), buffer, ignored);
  }
}

std::size_t RawClient::read_some(char* into, std::size_t size) {
  boost::system::error_code error;
  const auto buffer = asio::buffer(into, size);
  const std::size_t got = impl_->tls ? impl_->stream->read_some(buffer, error) : impl_->stream->next_layer().read_some(buffer, error);
  if (error == asio::error::try_again || error == asio::error::would_block) ADD_FAILURE() << "no answer within ten seconds";
  return error ? 0 : got;
}

std::string RawClient::read_answer() {
  std::string& buffer = impl_->buffer;
  const auto fill = [&] {
    char chunk[16'384];
    const std::size_t got = read_some(chunk, sizeof chunk);
    buffer.append(chunk, got);
    return got > 0;
  };
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return "";
  }
  const auto header = buffer.find("Content-Length: ");
  const std::size_t length = header == std::string::npos || header > end ? 0 : std::stoul(buffer.substr(header + 16));
  while (buffer.size() < end + 4 + length) {
    if (!fill()) return "";
  }
  std::string answer = buffer.substr(0, end + 4 + length);
  buffer.erase(0, end + 4 + length);
  return answer;
}

bool RawClient::closed_by_peer() {
  char chunk[16'384];
  while (read_some(chunk, sizeof chunk) > 0) {
  }
  return !::testing::Test::HasNonfatalFailure();
}

int status_of(const std::string& answer) { return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0; }

}  // namespace fw::api::test
