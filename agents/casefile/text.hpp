// How facts are written for people, the same in SQL and in sentences.
#pragma once
#include <cstdint>
#include <string>

namespace fw::agents {

std::string size_text(std::int64_t bytes);   // "256 MiB"; "no limit" below zero
std::string clock_text(std::int64_t ns);     // "02:46:58 UTC"

}  // namespace fw::agents
