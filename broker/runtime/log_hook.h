// Writes one debug line for each event of a job or a session: names and numbers, never a payload.
#pragma once

#include "runtime/hooks.h"

namespace millrace::runtime {

class LogHook : public Hooks {
 public:
  void on_event(const core::Event& event, std::string_view topic) override;
};

}  // namespace millrace::runtime
