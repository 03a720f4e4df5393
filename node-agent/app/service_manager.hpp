// Tells systemd how far we are (Type=notify); nothing happens under any other parent.
#pragma once
#include <string_view>

namespace fw::agent {

void notify_service_manager(std::string_view state);   // "READY=1", "STOPPING=1"

}  // namespace fw::agent
