// Text of several paragraphs and lists: wrapped for people, one line per statement for scripts. Pure. Escapes what it
// is given.
#pragma once
#include <string>
#include <string_view>

#include "aggregator/cli/term/style.hpp"
#include "aggregator/cli/term/table.hpp"

namespace fw::cli::term {

class Document {
 public:
  explicit Document(const Layout& layout) : layout_(layout) {}

  void heading(std::string_view text);  // after an empty line
  void paragraph(std::string_view text, Role role = Role::plain);
  // "LABEL text", the text's further lines under its first; `indent` blanks in front.
  void item(std::size_t indent, std::string_view label, std::string_view text, Role role = Role::plain);
  void verbatim(std::size_t indent, std::string_view text, Role role = Role::plain);  // never wrapped: commands
  void table(std::size_t indent, const Table& table);
  void blank() { out_ += '\n'; }

  const Layout& layout() const noexcept { return layout_; }
  std::string take() { return std::move(out_); }

 private:
  Layout layout_;
  std::string out_;
};

}  // namespace fw::cli::term
