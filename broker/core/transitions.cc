#include "core/transitions.h"

#include "core/check.h"

#include <cstddef>

namespace millrace::core {
namespace {

constexpr Cell to(State state) { return {state, nullptr}; }
constexpr Cell never(const char* name) { return {State::available, name}; }

constexpr const char* final_state = "a final job changes only by a requeue of a dead one";
constexpr const char* not_waiting = "only a job that waits for its time becomes due";
constexpr const char* not_running = "only a running job has an outcome";
constexpr const char* not_ready = "only an available job is delivered";
constexpr const char* not_dead = "only a dead job is requeued";

// Columns: due, deliver, complete, retry, give_up, put_back, cancel, requeue.
constexpr Cell table[states][triggers] = {
    /* scheduled */ {to(State::available), never(not_ready), never(not_running), never(not_running),
                     never(not_running), never(not_running), to(State::cancelled), never(not_dead)},
    /* blocked */
    {never(not_waiting), never(not_ready), never(not_running), never(not_running),
     never(not_running), never(not_running), to(State::cancelled), never(not_dead)},
    /* available */
    {never(not_waiting), to(State::running), never(not_running), never(not_running),
     never(not_running), never(not_running), to(State::cancelled), never(not_dead)},
    /* running */
    {never(not_waiting), never("a running job is not delivered again"), to(State::completed),
     to(State::retryable), to(State::dead), to(State::available), to(State::cancelled),
     never(not_dead)},
    /* retryable */
    {to(State::available), never(not_ready), never(not_running), never(not_running),
     never(not_running), never(not_running), to(State::cancelled), never(not_dead)},
    /* completed */
    {never(final_state), never(final_state), never(final_state), never(final_state),
     never(final_state), never(final_state), never(final_state), never(not_dead)},
    /* cancelled */
    {never(final_state), never(final_state), never(final_state), never(final_state),
     never(final_state), never(final_state), never(final_state), never(not_dead)},
    /* dead */
    {never(final_state), never(final_state), never(final_state), never(final_state),
     never(final_state), never(final_state), never(final_state), to(State::available)},
};

}  // namespace

Cell look_up(State from, Trigger trigger) {
  return table[static_cast<std::size_t>(from)][static_cast<std::size_t>(trigger)];
}

State transit(State from, Trigger trigger) {
  const Cell cell = look_up(from, trigger);
  require(cell.impossible == nullptr, cell.impossible == nullptr ? "" : cell.impossible);
  return cell.to;
}

}  // namespace millrace::core
