// HTTP servers in cgroups and what talks to them, for the tests of the http collector.
#pragma once
#include <sys/socket.h>
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"
#include "tests/kernel/sandbox.hpp"

namespace fw::test {

inline constexpr int kSlowMs = 60;

enum class Accept : std::uint8_t { at_once, with_data };   // with_data: TCP_DEFER_ACCEPT

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

// One process in the cgroup that serves connections one after the other on a listening socket that its parent, outside, has made.
// GET /NNN has that status, /slow takes kSlowMs, /body begins a segment of its body like a response, /continue says 100 first,
// /garbage is no HTTP, /server-hello a TLS record.
class Server {
 public:
  // library: a file that the process maps executable.
  explicit Server(const Cgroup& group, Accept accept = Accept::at_once, int family = AF_INET, const std::string& library = "");
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  std::uint16_t port() const noexcept { return port_; }   // 0: could not listen

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

// One connection.
class Client {
 public:
  explicit Client(std::uint16_t port, int family = AF_INET);
  int get(const std::string& path);   // the status; 0: what came is no response
  void send(const std::string& text);
  int status();                       // of the next final response; reads its body

 private:
  std::string read_until(const std::string& end);
  UniqueFd socket_;
  std::string buffer_;
};

bool have(const std::string& program);                 // in PATH
int run(const std::vector<std::string>& arguments);    // its exit code; its output goes nowhere

enum class Tls : std::uint8_t { no, yes };

// nginx with one worker in the cgroup: / is 200, /failing 503, anything else 404.
class Nginx {
 public:
  Nginx(const Cgroup& group, Tls tls);
  ~Nginx();
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  bool ready() const;                                  // waits until it accepts
  std::uint16_t port() const noexcept { return port_; }
  std::map<int, std::int64_t> count() const;           // lines of its access log by status class
  std::map<int, std::int64_t> stop_and_count() const;  // after it has ended its connections

 private:
  TempFolder folder_;
  std::uint16_t port_;
  pid_t pid_ = -1;
};

// Python's http.server inside its ssl module; every answer is 501.
class PythonTls {
 public:
  explicit PythonTls(const Cgroup& group);
  ~PythonTls();
  PythonTls(const PythonTls&) = delete;
  PythonTls& operator=(const PythonTls&) = delete;
  std::uint16_t port() const noexcept { return port_; }
  void fetch(int times) const;

 private:
  TempFolder folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace fw::test
