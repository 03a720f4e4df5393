#include "aggregator/cli/term/screen.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "common/exit_code.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace fw::cli::term {
namespace {

// Without cursor and without wrapping: a line that is too wide is cut by the terminal.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";

// Signal handlers reach only static storage. Written before the handlers are installed.
struct SavedTerminal {
  termios original{};
  termios quiet{};
  bool has_input = false;
};
SavedTerminal g_saved;
volatile std::sig_atomic_t g_active = 0;
volatile std::sig_atomic_t g_changed = 0;

void raw_write(std::string_view text) noexcept {
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
}

void enter() noexcept {
  if (g_saved.has_input) ::tcsetattr(STDIN_FILENO, TCSANOW, &g_saved.quiet);
  raw_write(kEnter);
}

void leave() noexcept {
  raw_write(kLeave);
  if (g_saved.has_input) ::tcsetattr(STDIN_FILENO, TCSANOW, &g_saved.original);
}

constexpr std::array kEndingSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

// Gives the terminal back, then lets the signal do what it would have done; Ctrl-C ends with our documented code.
void on_ending_signal(int signal) {
  if (g_active != 0) leave();
  g_active = 0;
  if (signal == SIGINT) ::_exit(to_int(ExitCode::interrupted));
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void on_stop(int) {
  const int saved_errno = errno;
  leave();
  ::raise(SIGSTOP);
  enter();
  g_changed = 1;
  errno = saved_errno;
}

void on_resize(int) { g_changed = 1; }

void install(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

ScreenSize screen_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) return {size.ws_col, size.ws_row};
  ScreenSize out;
  if (const char* columns = std::getenv("COLUMNS")) {
    const long value = std::strtol(columns, nullptr, 10);
    if (value >= 20 && value <= 10'000) out.columns = static_cast<std::size_t>(value);
  }
  return out;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void page(std::string_view text) {
  const char* pager = std::getenv("PAGER");
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  if (pager == nullptr || *pager == '\0' || !is_terminal(STDOUT_FILENO) || lines < screen_size(STDOUT_FILENO).rows) {
    write_all(STDOUT_FILENO, text);
    return;
  }
  int ends[2];
  if (::pipe(ends) != 0) {
    write_all(STDOUT_FILENO, text);
    return;
  }
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(read_end.get(), STDIN_FILENO);
    read_end.reset();
    write_end.reset();
    ::signal(SIGPIPE, SIG_DFL);
    ::setenv("LESS", "FRX", 0);
    ::execl("/bin/sh", "sh", "-c", pager, nullptr);
    ::_exit(127);
  }
  read_end.reset();
  if (child < 0) {
    write_all(STDOUT_FILENO, text);
    return;
  }
  write_all(write_end.get(), text);
  write_end.reset();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) write_all(STDOUT_FILENO, text);  // no such pager
}

AlternateScreen::AlternateScreen() {
  FW_ASSERT(g_active == 0, "one alternate screen at a time");
  g_saved.has_input = ::tcgetattr(STDIN_FILENO, &g_saved.original) == 0;
  g_saved.quiet = g_saved.original;
  g_saved.quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  for (const int signal : kEndingSignals) install(signal, on_ending_signal);
  install(SIGTSTP, on_stop);
  install(SIGWINCH, on_resize);
  g_active = 1;
  enter();
}

AlternateScreen::~AlternateScreen() {
  leave();
  g_active = 0;
  for (const int signal : kEndingSignals) install(signal, SIG_DFL);
  install(SIGTSTP, SIG_DFL);
  install(SIGWINCH, SIG_DFL);
}

void AlternateScreen::draw(std::string_view frame) {
  std::string out = "\x1b[H";
  while (!frame.empty()) {
    const auto end = frame.find('\n');
    out.append(frame.substr(0, end)).append("\x1b[K");
    if (end == std::string_view::npos) break;
    frame.remove_prefix(end + 1);
    if (!frame.empty()) out += "\r\n";
  }
  out += "\x1b[J";
  write_all(STDOUT_FILENO, out);
}

AlternateScreen::Input AlternateScreen::wait(std::chrono::milliseconds timeout) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const int ready = ::poll(&input, g_saved.has_input ? 1 : 0, static_cast<int>(timeout.count()));
  if (g_changed != 0) {
    g_changed = 0;
    return Input::redraw;
  }
  if (ready <= 0) return Input::none;
  char key = 0;
  const auto got = ::read(STDIN_FILENO, &key, 1);
  return got <= 0 || key == 'q' || key == 'Q' ? Input::quit : Input::none;
}

}  // namespace fw::cli::term
