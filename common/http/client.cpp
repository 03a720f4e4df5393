#include "common/http/client.hpp"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <utility>

namespace fw::http {
namespace {

struct EasyDelete { void operator()(CURL* easy) const { curl_easy_cleanup(easy); } };
struct ListDelete { void operator()(curl_slist* list) const { curl_slist_free_all(list); } };
struct UrlDelete { void operator()(CURLU* url) const { curl_url_cleanup(url); } };
struct TextDelete { void operator()(char* text) const { curl_free(text); } };
using Easy = std::unique_ptr<CURL, EasyDelete>;
using List = std::unique_ptr<curl_slist, ListDelete>;
using Url = std::unique_ptr<CURLU, UrlDelete>;

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* raw = nullptr;
  if (curl_url_get(url, part, &raw, flags) != CURLUE_OK) return "";
  const std::unique_ptr<char, TextDelete> text(raw);
  return raw;
}

bool is_loopback(const std::string& host) { return host == "localhost" || host == "[::1]" || host.starts_with("127."); }

// What a transfer writes into; curl's callbacks get a pointer to it.
struct Sink {
  Response response;
  std::size_t max_body_bytes = 0;
  bool too_large = false;
};

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  if (size > sink.max_body_bytes - sink.response.body.size()) {
    sink.too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  sink.response.body.append(data, size);
  return size;
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  std::string_view line(data, size);
  if (line.starts_with("HTTP/")) sink.response.headers.clear();   // a new header block, after 100 Continue
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' ')) value.remove_suffix(1);
  sink.response.headers[name] = std::string(value);
  return size;
}

Result<void> check_readable(const std::string& path, std::string_view what) {
  if (path.empty() || ::access(path.c_str(), R_OK) == 0) return {};
  return Error(Errc::invalid_argument, "cannot read the " + std::string(what) + " " + path + ": " + std::generic_category().message(errno));
}

bool contains(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

// OpenSSL names an alert of the peer in its error text; these are about our certificate.
std::string_view refused_certificate(std::string_view detail) {
  if (!contains(detail, "alert")) return "";
  if (contains(detail, "certificate required")) return "the server asks for a client certificate; name one with its key";
  if (contains(detail, "unknown ca")) return "the server does not know the authority that signed our certificate; ask who runs it for a certificate of its people authority";
  if (contains(detail, "certificate expired")) return "the server says that our certificate has expired; ask for a new one";
  if (contains(detail, "bad certificate") || contains(detail, "certificate unknown") || contains(detail, "unsupported certificate")) {
    return "the server refused our certificate; it must be one for people, not for a node or a server";
  }
  return "";
}

std::string server_certificate_problem(std::string_view detail) {
  if (contains(detail, "certificate has expired")) return "the server's certificate has expired; renew it there";
  if (contains(detail, "not yet valid")) return "the server's certificate is not yet valid; compare the clocks of both machines";
  if (contains(detail, "no alternative certificate subject name") || contains(detail, "does not match")) {
    return "the server's certificate is for another name; use the name in it, or set the server name of the context";
  }
  if (contains(detail, "issuer certificate") || contains(detail, "self-signed") || contains(detail, "self signed")) {
    return "the server's certificate is not signed by our CA file; check that the CA file is the one of this server";
  }
  return "the server's certificate cannot be trusted (" + std::string(detail) + ")";
}

Error error_of(CURLcode code, const std::string& where, std::string_view detail, const Sink& sink) {
  if (sink.too_large) return {Errc::too_large, where + ": the answer is larger than " + std::to_string(sink.max_body_bytes) + " bytes"};
  const auto say = [&](Errc errc, std::string_view text) { return Error(errc, where + ": " + std::string(text)); };
  if (const auto refused = refused_certificate(detail); !refused.empty()) return say(Errc::permission, refused);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return say(Errc::gone, "the name is unknown; check the server's address");
    case CURLE_COULDNT_CONNECT: return say(Errc::gone, "connection refused; is the server running, and is this its address?");
    case CURLE_OPERATION_TIMEDOUT: return say(Errc::timeout, "no answer in time");
    case CURLE_PEER_FAILED_VERIFICATION: return say(Errc::permission, server_certificate_problem(detail));
    case CURLE_SSL_CERTPROBLEM: return say(Errc::invalid_argument, "our certificate or key file cannot be used (" + std::string(detail) + ")");
    case CURLE_SSL_CACERT_BADFILE: return say(Errc::invalid_argument, "the CA file holds no certificate");
    case CURLE_URL_MALFORMAT: return say(Errc::invalid_argument, "not a URL");
    case CURLE_SSL_CONNECT_ERROR: return say(Errc::permission, "no TLS connection (" + std::string(detail) + "); is this an HTTPS port?");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return say(Errc::malformed, "the answer is not HTTP");
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE: return say(Errc::gone, "the server closed the connection before it answered");
    default: return say(Errc::io, detail.empty() ? curl_easy_strerror(code) : detail);
  }
}

bool global_init() {
  static const bool done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return done;
}

}  // namespace

struct Client::Impl {
  explicit Impl(ClientConfig c) : config(std::move(c)) {
    FW_ASSERT(global_init(), "libcurl cannot be initialised");
    easy.reset(curl_easy_init());
    FW_ASSERT(easy != nullptr, "out of memory");
  }

  template <class T>
  void set(CURLoption option, T value) {
    curl_easy_setopt(easy.get(), option, value);
  }

  Result<void> check_files() const {
    const std::array files{std::pair{&config.ca_file, "CA file"}, std::pair{&config.certificate_file, "certificate"},
                           std::pair{&config.key_file, "key"}};
    for (const auto& [path, what] : files) {
      if (auto readable = check_readable(*path, what); readable.has_error()) return readable;
    }
    return {};
  }

  void set_tls() {
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!config.ca_file.empty()) {
      set(CURLOPT_CAINFO, config.ca_file.c_str());
      set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));   // else the system's CAs were trusted as well
    }
    if (!config.certificate_file.empty()) {
      set(CURLOPT_SSLCERT, config.certificate_file.c_str());
      set(CURLOPT_SSLKEY, (config.key_file.empty() ? config.certificate_file : config.key_file).c_str());
    }
  }

  ClientConfig config;
  Easy easy;
};

Client::Client(ClientConfig config) : impl_(std::make_unique<Impl>(std::move(config))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<Response> Client::send(const Request& request) {
  Impl& self = *impl_;
  const ClientConfig& config = self.config;
  if (auto files = self.check_files(); files.has_error()) return files.error();

  const Url url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(), 0) != CURLUE_OK) {
    return Error(Errc::invalid_argument, request.url + ": not a URL");
  }
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  const std::string host = part_of(url.get(), CURLUPART_HOST);
  const std::string port = part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  const std::string where = scheme + "://" + host + ":" + port;
  const bool plain = scheme == "http" && config.plain == Plain::loopback_only && is_loopback(host);
  if (scheme != "https" && !plain) {
    return Error(Errc::invalid_argument, where + ": only https is allowed" + (scheme == "http" ? " beyond this machine" : ""));
  }

  List connect_to;
  if (!config.server_name.empty()) {
    connect_to.reset(curl_slist_append(nullptr, ("::" + host + ":" + port).c_str()));
    curl_url_set(url.get(), CURLUPART_HOST, config.server_name.c_str(), 0);
  }
  List headers;
  for (const auto& [name, value] : request.headers) {
    headers.reset(curl_slist_append(headers.release(), (name + ": " + value).c_str()));
  }

  Sink sink;
  sink.max_body_bytes = config.max_body_bytes;
  std::array<char, CURL_ERROR_SIZE> detail{};
  curl_easy_reset(self.easy.get());   // options only: connections stay open
  self.set(CURLOPT_CURLU, url.get());
  self.set(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
  self.set(CURLOPT_PROXY, "");
  self.set(CURLOPT_NOSIGNAL, 1L);
  self.set(CURLOPT_ERRORBUFFER, detail.data());
  self.set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(config.connect_timeout.count()));
  self.set(CURLOPT_TIMEOUT_MS, static_cast<long>(config.total_timeout.count()));
  self.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  self.set(CURLOPT_USERAGENT, config.user_agent.c_str());
  self.set(CURLOPT_WRITEFUNCTION, &on_body);
  self.set(CURLOPT_WRITEDATA, static_cast<void*>(&sink));
  self.set(CURLOPT_HEADERFUNCTION, &on_header);
  self.set(CURLOPT_HEADERDATA, static_cast<void*>(&sink));
  self.set(CURLOPT_CONNECT_TO, connect_to.get());
  self.set(CURLOPT_HTTPHEADER, headers.get());
  self.set_tls();
  if (request.method == "HEAD") {
    self.set(CURLOPT_NOBODY, 1L);
  } else if (request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
    self.set(CURLOPT_POST, 1L);
    self.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    self.set(CURLOPT_POSTFIELDS, request.body.data());
  }
  if (request.method != "GET" && request.method != "HEAD") self.set(CURLOPT_CUSTOMREQUEST, request.method.c_str());

  const CURLcode code = curl_easy_perform(self.easy.get());
  if (code != CURLE_OK) return error_of(code, where, detail.data(), sink);
  long status = 0;
  curl_easy_getinfo(self.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  sink.response.status = static_cast<int>(status);
  return std::move(sink.response);
}

Result<Response> Client::get(const std::string& url) { return send({.method = "GET", .url = url, .headers = {}, .body = {}}); }

Result<Response> Client::post_json(const std::string& url, std::string body) {
  return send({.method = "POST", .url = url, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)});
}

}  // namespace fw::http
