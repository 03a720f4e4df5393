#include "tests/kernel/http_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "tests/kernel/wait.hpp"

namespace fw::test {
namespace {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
};

Address loopback(int family, std::uint16_t port) {
  Address address;
  if (family == AF_INET6) {
    auto* const ip6 = reinterpret_cast<sockaddr_in6*>(&address.bytes);
    ip6->sin6_family = AF_INET6;
    ip6->sin6_addr = in6addr_loopback;
    ip6->sin6_port = htons(port);
    address.size = sizeof(*ip6);
  } else {
    auto* const ip4 = reinterpret_cast<sockaddr_in*>(&address.bytes);
    ip4->sin_family = AF_INET;
    ip4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ip4->sin_port = htons(port);
    address.size = sizeof(*ip4);
  }
  return address;
}

// Both families have the port at the same place.
std::uint16_t port_of(int socket) {
  Address address;
  address.size = sizeof(address.bytes);
  if (::getsockname(socket, address.get(), &address.size) != 0) return 0;
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address.bytes)->sin_port);
}

UniqueFd listening(int family, std::uint16_t port = 0) {
  UniqueFd socket{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const auto address = loopback(family, port);
  if (::bind(socket.get(), address.get(), address.size) != 0 || ::listen(socket.get(), 64) != 0) return UniqueFd{};
  return socket;
}

std::uint16_t free_port() {
  const auto socket = listening(AF_INET);
  return port_of(socket.get());
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto size = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (size <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
}

void answer(int connection, const std::string& path) {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  if (path == "/slow") {
    ::poll(nullptr, 0, kSlowMs);
    write_all(connection, ok);
  } else if (path == "/continue") {
    write_all(connection, "HTTP/1.1 100 Continue\r\n\r\n");
    write_all(connection, ok);
  } else if (path == "/body") {
    const std::string_view body = "HTTP/1.1 500 this is text of a file";
    write_all(connection, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    write_all(connection, body);
  } else if (path == "/garbage") {
    write_all(connection, "HTTP/2.0 nothing that anybody understands\r\n\r\n");
  } else if (path == "/server-hello") {
    write_all(connection, std::string{"\x16\x03\x03\x00\x2a\x02", 6} + std::string(36, 'x') + "\r\n\r\n");
  } else {
    const bool empty = path == "/204" || path == "/101";
    write_all(connection, "HTTP/1.1 " + path.substr(1) + " said so\r\n" + (empty ? "\r\n" : "Content-Length: 2\r\n\r\nok"));
  }
}

void serve(int listener) {
  const int on = 1;
  for (;;) {
    const UniqueFd connection{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
    if (!connection.valid()) return;
    ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));   // each write is a segment
    std::string text;
    char buffer[4096];
    for (ssize_t size = 0; (size = ::recv(connection.get(), buffer, sizeof(buffer), 0)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(size));
      for (auto end = text.find("\r\n\r\n"); end != std::string::npos; end = text.find("\r\n\r\n")) {
        const auto begin = text.find(' ') + 1;
        answer(connection.get(), text.substr(begin, text.find(' ', begin) - begin));
        text.erase(0, end + 4);
      }
    }
  }
}

pid_t start(const Cgroup& group, const std::vector<std::string>& arguments) {
  return group.spawn([&] {
    std::vector<char*> words;
    for (const auto& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    return 127;
  });
}

void stop(pid_t pid, int signal) {
  if (pid <= 0) return;
  ::kill(pid, signal);
  wait_for_exit(pid);
}

void make_certificate(const std::filesystem::path& folder) {
  run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
       "-keyout", (folder / "key.pem").string(), "-out", (folder / "cert.pem").string()});
}

}  // namespace

TempFolder::TempFolder() {
  std::string name = "/tmp/fw-http-XXXXXX";
  path_ = ::mkdtemp(name.data());
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Server::Server(const Cgroup& group, Accept accept, int family, const std::string& library) {
  const auto listener = listening(family);
  if (!listener.valid()) return;
  port_ = port_of(listener.get());
  const int defer_s = 5;
  if (accept == Accept::with_data) ::setsockopt(listener.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, sizeof(defer_s));
  pid_ = group.spawn([&] {
    if (!library.empty()) {
      const UniqueFd file{::open(library.c_str(), O_RDONLY | O_CLOEXEC)};
      if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file.get(), 0) == MAP_FAILED) return 1;
    }
    serve(listener.get());
    return 0;
  });
}

Server::~Server() { stop(pid_, SIGKILL); }

Client::Client(std::uint16_t port, int family) : socket_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval deadline{10, 0};
  const int on = 1;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const auto address = loopback(family, port);
  EXPECT_EQ(::connect(socket_.get(), address.get(), address.size), 0) << std::strerror(errno);
}

int Client::get(const std::string& path) {
  send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return status();
}

void Client::send(const std::string& text) { write_all(socket_.get(), text); }

int Client::status() {
  const auto head = read_until("\r\n\r\n");
  if (!head.starts_with("HTTP/1.1 ")) return 0;
  const int status = std::atoi(head.c_str() + 9);
  if (status == 100) return this->status();
  if (const auto at = head.find("Content-Length: "); at != std::string::npos) {
    const auto size = static_cast<std::size_t>(std::atoi(head.c_str() + at + 16));
    char byte = 0;
    while (buffer_.size() < size && ::recv(socket_.get(), &byte, 1, 0) == 1) buffer_ += byte;
    buffer_.erase(0, size);
  }
  return status;
}

std::string Client::read_until(const std::string& end) {
  char byte = 0;
  while (buffer_.find(end) == std::string::npos && ::recv(socket_.get(), &byte, 1, 0) == 1) buffer_ += byte;
  const auto size = std::min(buffer_.size(), buffer_.find(end) + end.size());
  const auto text = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return text;
}

bool have(const std::string& program) {
  const char* const path = std::getenv("PATH");
  for (std::string_view folders = path == nullptr ? "" : path; !folders.empty();) {
    const auto end = std::min(folders.find(':'), folders.size());
    if (::access((std::string{folders.substr(0, end)} + "/" + program).c_str(), X_OK) == 0) return true;
    folders.remove_prefix(std::min(folders.size(), end + 1));
  }
  return false;
}

int run(const std::vector<std::string>& arguments) {
  std::vector<char*> words;
  for (const auto& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const auto pid = ::fork();
  if (pid == 0) {
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) ::dup2(nowhere, fd);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  return WEXITSTATUS(wait_for_exit(pid));
}

Nginx::Nginx(const Cgroup& group, Tls tls) : port_(free_port()) {
  const auto folder = folder_.path().string();
  if (tls == Tls::yes) make_certificate(folder_.path());
  std::ofstream config{folder_.path() / "nginx.conf"};
  config << "daemon off; user root; worker_processes 1; pid " << folder << "/pid; error_log " << folder << "/errors;\n"
         << "events { worker_connections 256; }\nhttp { log_format status '$status'; access_log " << folder << "/access status;\n";
  for (const auto* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) config << kind << "_temp_path " << folder << "/" << kind << ";\n";
  config << "server { listen 127.0.0.1:" << port_ << (tls == Tls::yes ? " ssl" : "") << ";\n";
  if (tls == Tls::yes) config << "ssl_certificate " << folder << "/cert.pem; ssl_certificate_key " << folder << "/key.pem;\n";
  config << "location = / { return 200 'fine'; }\nlocation = /failing { return 503; }\nlocation / { return 404; } } }\n";
  config.close();
  pid_ = start(group, {"nginx", "-c", folder + "/nginx.conf", "-p", folder});
}

Nginx::~Nginx() {
  if (::kill(pid_, 0) == 0) stop(pid_, SIGQUIT);
}

bool Nginx::ready() const {
  return wait_until([&] {
    const UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto address = loopback(AF_INET, port_);
    return ::connect(socket.get(), address.get(), address.size) == 0;
  });
}

std::map<int, std::int64_t> Nginx::count() const {
  std::map<int, std::int64_t> counts{{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}};
  std::ifstream log{folder_.path() / "access"};
  for (int status = 0; log >> status;) ++counts[status / 100];
  return counts;
}

std::map<int, std::int64_t> Nginx::stop_and_count() const {
  stop(pid_, SIGQUIT);
  return count();
}

PythonTls::PythonTls(const Cgroup& group) {
  make_certificate(folder_.path());
  port_ = free_port();
  const auto script = (folder_.path() / "server.py").string();
  std::ofstream{script} << "import http.server, ssl\n"
                           "server = http.server.HTTPServer(('127.0.0.1', " << port_ << "), http.server.BaseHTTPRequestHandler)\n"
                           "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
                           "context.load_cert_chain('" << (folder_.path() / "cert.pem").string() << "', '" << (folder_.path() / "key.pem").string() << "')\n"
                           "server.socket = context.wrap_socket(server.socket, server_side=True)\n"
                           "server.serve_forever()\n";
  pid_ = start(group, {"/usr/bin/python3", script});
}

PythonTls::~PythonTls() { stop(pid_, SIGKILL); }

void PythonTls::fetch(int times) const {
  for (int i = 0; i < times; ++i) {
    run({"/usr/bin/python3", "-c",
         "import ssl,http.client\nc=http.client.HTTPSConnection('127.0.0.1'," + std::to_string(port_) +
             ",timeout=10,context=ssl._create_unverified_context())\nc.request('GET','/')\nc.getresponse().read()"});
  }
}

}  // namespace fw::test
