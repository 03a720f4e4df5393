// The terminal as a device: size, pager, and the alternate screen of `watch`, which is given back whatever happens.
#pragma once
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace fw::cli::term {

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

bool is_terminal(int fd);
// Of the terminal behind fd, else of $COLUMNS, else 80x24.
ScreenSize screen_size(int fd);

// Writes all of it; false when the reader is gone (a closed pipe is the reader's choice, not an error).
bool write_all(int fd, std::string_view text);

// Shows text through $PAGER when it is set, stdout is a terminal and the text is longer than the screen; else writes
// it.
void page(std::string_view text);

// Alternate screen without echo and cursor, for one process at a time. The destructor, SIGINT, SIGTERM, SIGHUP,
// SIGQUIT, the crash signals and SIGTSTP give the terminal back first. Threading: the main thread.
class AlternateScreen {
 public:
  AlternateScreen();
  ~AlternateScreen();
  AlternateScreen(const AlternateScreen&) = delete;
  AlternateScreen& operator=(const AlternateScreen&) = delete;

  void draw(std::string_view frame);        // lines; cut to the screen by the caller
  enum class Input { none, quit, redraw };  // redraw: the window changed, or the program came back from the background
  Input wait(std::chrono::milliseconds timeout);
};

}  // namespace fw::cli::term
