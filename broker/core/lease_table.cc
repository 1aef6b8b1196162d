#include "core/lease_table.h"

#include "core/check.h"

#include <algorithm>
#include <functional>

namespace millrace::core {
namespace {

constexpr std::size_t cells_min = 64, slots_kept_max = 4'096;

// Tokens and seqs rise by one; the multiplier (2^64 / golden ratio) spreads them over the high
// bits.
std::size_t hash(std::uint64_t value) {
  return static_cast<std::size_t>((value * 0x9e3779b97f4a7c15ULL) >> 20U);
}
std::size_t hash(const JobRef& ref) {
  const std::uint64_t where = static_cast<std::uint64_t>(ref.topic) << 16U | ref.partition;
  return hash(ref.seq ^ where << 40U ^ where * 0x632be59bd9b4e019ULL);
}

const Token& key_of(const Lease& lease, const Token& /*kind*/) { return lease.token; }
const JobRef& key_of(const Lease& lease, const JobRef& /*kind*/) { return lease.job.ref; }

}  // namespace

template <typename Key>
LeaseTable::Place LeaseTable::look_up(const Index& index, const Key& key) const {
  if (index.count == 0) return 0;
  const std::size_t mask = index.cells.size() - 1;
  for (std::size_t at = hash(key) & mask; index.cells[at] != 0; at = (at + 1) & mask) {
    if (key_of(slot(index.cells[at]).lease, key) == key) return index.cells[at];
  }
  return 0;
}

template <typename Key>
void LeaseTable::insert(Index& index, const Key& key, Place place) {
  if (2 * (index.count + 1) > index.cells.size()) grow<Key>(index);
  const std::size_t mask = index.cells.size() - 1;
  std::size_t at = hash(key) & mask;
  while (index.cells[at] != 0) at = (at + 1) & mask;
  index.cells[at] = place;
  ++index.count;
}

template <typename Key>
void LeaseTable::grow(Index& index) {
  const std::vector<Place> old = std::move(index.cells);
  index.cells.assign(std::max(cells_min, 2 * old.size()), 0);
  index.count = 0;
  for (const Place place : old) {
    if (place != 0) insert(index, key_of(slot(place).lease, Key()), place);
  }
}

// What stands behind the hole and belongs at or before it moves up, so that no look-up stops early.
template <typename Key>
void LeaseTable::remove(Index& index, const Key& key) {
  const std::size_t mask = index.cells.size() - 1;
  std::size_t hole = hash(key) & mask;
  while (key_of(slot(index.cells[hole]).lease, key) != key) hole = (hole + 1) & mask;
  for (std::size_t at = (hole + 1) & mask; index.cells[at] != 0; at = (at + 1) & mask) {
    const std::size_t home = hash(key_of(slot(index.cells[at]).lease, key)) & mask;
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    index.cells[hole] = index.cells[at];
    hole = at;
  }
  index.cells[hole] = 0;
  --index.count;
}

Lease* LeaseTable::find(Token token) {
  const Place place = look_up(by_token_, token);
  return place == 0 ? nullptr : &slot(place).lease;
}
Lease* LeaseTable::find(const JobRef& ref) {
  const Place place = look_up(by_job_, ref);
  return place == 0 ? nullptr : &slot(place).lease;
}
const Lease* LeaseTable::find(const JobRef& ref) const {
  const Place place = look_up(by_job_, ref);
  return place == 0 ? nullptr : &slot(place).lease;
}

Lease& LeaseTable::add(Lease&& lease, Holder& holder) {
  require(look_up(by_token_, lease.token) == 0, "a token has one lease");
  require(look_up(by_job_, lease.job.ref) == 0, "a job runs once at a time");
  Place place = 0;
  if (free_.empty()) {
    slots_.emplace_back();
    place = static_cast<Place>(slots_.size());
  } else {
    place = free_.back();
    free_.pop_back();
  }
  Slot& added = slot(place);
  added.lease = std::move(lease);
  insert(by_token_, added.lease.token, place);
  insert(by_job_, added.lease.job.ref, place);
  ++count_;

  added.holder_prev = 0;
  added.holder_next = holder.first;
  if (holder.first != 0) slot(holder.first).holder_prev = place;
  holder.first = place;
  ++holder.count;

  if (added.lease.written) return added.lease;
  added.unwritten_prev = unwritten_last_;
  added.unwritten_next = 0;
  (unwritten_last_ == 0 ? unwritten_first_ : slot(unwritten_last_).unwritten_next) = place;
  unwritten_last_ = place;
  return added.lease;
}

Lease LeaseTable::take(Lease& lease, Holder& holder) {
  const Place place = look_up(by_token_, lease.token);
  require(place != 0, "a run that ends has a lease");
  Slot& from = slot(place);
  if (!lease.written) unlink_unwritten(from, place);
  remove(by_token_, lease.token);
  remove(by_job_, lease.job.ref);
  --count_;
  (from.holder_prev == 0 ? holder.first : slot(from.holder_prev).holder_next) = from.holder_next;
  if (from.holder_next != 0) slot(from.holder_next).holder_prev = from.holder_prev;
  --holder.count;
  free_.push_back(place);
  Lease taken = std::move(lease);
  if (count_ == 0 && slots_.size() > slots_kept_max) {
    // A burst is over: its memory is freed.
    slots_.clear();
    free_.clear();
  }
  return taken;
}

std::vector<Token> LeaseTable::tokens_of(const Holder& holder) const {
  std::vector<Token> tokens;
  tokens.reserve(holder.count);
  for (Place place = holder.first; place != 0; place = slot(place).holder_next) {
    tokens.push_back(slot(place).lease.token);
  }
  std::sort(tokens.begin(), tokens.end(), std::greater<>());
  return tokens;
}

Lease* LeaseTable::first_unwritten() {
  return unwritten_first_ == 0 ? nullptr : &slot(unwritten_first_).lease;
}

void LeaseTable::mark_written(Lease& lease) {
  const Place place = look_up(by_token_, lease.token);
  unlink_unwritten(slot(place), place);
  lease.written = true;
}

void LeaseTable::unlink_unwritten(Slot& from, Place place) {
  (unwritten_first_ == place ? unwritten_first_ : slot(from.unwritten_prev).unwritten_next) =
      from.unwritten_next;
  (unwritten_last_ == place ? unwritten_last_ : slot(from.unwritten_next).unwritten_prev) =
      from.unwritten_prev;
  from.unwritten_prev = from.unwritten_next = 0;
}

}  // namespace millrace::core
