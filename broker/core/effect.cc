#include "core/effect.h"

namespace millrace::core {

void Effects::clear() {
  ChangeSet emptied;
  emptied.inserts.swap(changes.inserts);
  emptied.finishes.swap(changes.finishes);
  emptied.partitions.swap(changes.partitions);
  emptied.inserts.clear();
  emptied.finishes.clear();
  emptied.partitions.clear();
  changes = std::move(emptied);
  replies.clear();
  deliveries.clear();
  revokes.clear();
  events.clear();
  loads.clear();
}

std::size_t Effects::room() const {
  return changes.inserts.capacity() + changes.finishes.capacity() + events.capacity();
}

}  // namespace millrace::core
