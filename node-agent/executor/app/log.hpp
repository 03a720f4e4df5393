// Lines on stderr in the format of all programs, without the logging library: this process stays small.
#pragma once
#include "common/log.hpp"

namespace fw::executor {

void configure_log(log::Level level, log::Format format);
void say(log::Level level, std::string_view message, log::Fields fields = {});

}  // namespace fw::executor
