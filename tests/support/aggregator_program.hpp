// The real fleetwright-aggregator as a child process, on free ports of the loopback.
#pragma once
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_agent.hpp"

namespace fw::test {

// Its store and its log are in the folder of the certificates; another one on the same folder goes on where the last one was ended.
class AggregatorProgram {
 public:
  explicit AggregatorProgram(const TestPki& pki, const std::vector<std::string>& more_sets = {}) : ports_file_(pki.folder() + "/ports.json") {
    std::filesystem::remove(ports_file_);
    const auto tls = pki.server();
    std::vector<std::string> words{std::string(FW_BINARY_DIR) + "/bin/fleetwright-aggregator", "--ports-file", ports_file_};
    const auto set = [&words](const std::string& key_value) { words.insert(words.end(), {"--set", key_value}); };
    for (const char* one : {"listen.agents=127.0.0.1:0", "listen.people=127.0.0.1:0", "listen.plain=127.0.0.1:0"}) set(one);
    set("tls.certificate=" + tls.certificate);
    set("tls.key=" + tls.key);
    set("tls.node_ca=" + tls.ca);
    set("tls.people_ca=" + tls.ca);
    set("store.url=sqlite://" + pki.folder() + "/store.db");
    for (const std::string& one : more_sets) set(one);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string log = pki.folder() + "/log";
    pid_ = ::fork();
    if (pid_ == 0) {
      const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      ::dup2(out, 2);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  ~AggregatorProgram() { stop(SIGKILL); }
  AggregatorProgram(const AggregatorProgram&) = delete;
  AggregatorProgram& operator=(const AggregatorProgram&) = delete;

  // They wait until it listens; 0 when it ended or does not come up.
  std::uint16_t agents_port() { return port("agents"); }
  std::uint16_t people_port() { return port("people"); }
  std::uint16_t plain_port() { return port("plain"); }

  int stop(int signal) {
    if (pid_ <= 0) return 0;
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  std::uint16_t port(const std::string& which) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!std::filesystem::exists(ports_file_)) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        return 0;
      }
      if (std::chrono::steady_clock::now() > deadline) return 0;
      std::this_thread::yield();
    }
    std::ifstream file(ports_file_);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::string name = "\"" + which + "\": ";
    return static_cast<std::uint16_t>(std::stoul(text.substr(text.find(name) + name.size())));
  }

  std::string ports_file_;
  pid_t pid_ = -1;
};

}  // namespace fw::test
