#include "audit/verifier.h"

#include <utility>

namespace millrace::audit {
namespace {

constexpr std::size_t problems_max = 100;

std::string line_number(std::uint64_t seq) { return "line " + std::to_string(seq); }

}  // namespace

Verifier::Verifier(Expected<std::optional<Head>> head, Expectation wanted)
    : head_(std::move(head)), wanted_(std::move(wanted)) {}

void Verifier::begin_file(std::uint64_t number) {
  tail_was_not_the_end();
  if (number_ != 0 && lines_of_file_ == 0) {
    problem({name_of(number_), 0, "the file has no line, and it is not the last one"});
  }
  if (number_ != 0 && number != number_ + 1) {
    problem({name_of(number_ + 1), 0, "the file is missing"});
  }
  number_ = number;
  line_in_file_ = lines_of_file_ = 0;
  report_.files += 1;
}

void Verifier::line(const RawLine& raw) {
  line_in_file_ += 1;
  if (!raw.complete) return invalid_line(raw, "the line has no end");
  if (raw.too_long) return invalid_line(raw, "the line is longer than 8 KiB");
  const auto line = decode(raw.text);
  if (!line)
    return invalid_line(raw, "this is not a line of the audit log: " + line.error().message);
  if (line->hash != hash_of_line(raw.text)) {
    return invalid_line(raw, "the line was changed: its hash is not that of its text");
  }
  valid_line(*line, raw);
}

void Verifier::problem(std::string text) {
  problem({name_of(number_), line_in_file_, std::move(text)});
}

void Verifier::problem(Finding finding) {
  report_.problem_count += 1;
  if (report_.problems.size() < problems_max) report_.problems.push_back(std::move(finding));
}

// Of what was not synced anything may be on disk. It is damage if more of the log follows.
void Verifier::invalid_line(const RawLine& raw, const std::string& why) {
  const bool head_usable = head_ && *head_;
  const bool may_be_torn = head_usable ? head_seen_ : !raw.complete;
  follows_known_ = false;
  if (tail_) {
    tail_->bytes += raw.end - raw.begin;
  } else if (may_be_torn) {
    tail_ = {{name_of(number_), line_in_file_, why}, raw.end - raw.begin};
  } else {
    problem(why);
  }
}

void Verifier::tail_was_not_the_end() {
  if (tail_) problem(std::move(tail_->first));
  tail_.reset();
}

void Verifier::valid_line(const Line& line, const RawLine& raw) {
  tail_was_not_the_end();
  if (report_.lines == 0) {
    check_start(line);
  } else {
    check_order(line);
  }
  check_first_of_file(line);
  check_head(line, raw);
  check_remarks(line);
  if (wanted_.noted_hash == line.hash) report_.noted_seq = line.seq;
  last_seq_ = line.seq;
  last_hash_ = line.hash;
  follows_known_ = true;
  lines_of_file_ += 1;
  report_.lines += 1;
  report_.last_seq = line.seq;
  report_.last_time = line.time;
  report_.last_hash = line.hash;
}

void Verifier::check_start(const Line& line) {
  report_.first_seq = line.seq;
  report_.first_time = line.time;
  if (wanted_.after_hash) {
    if (line.prev == *wanted_.after_hash) return;
    problem("the log begins with " + line_number(line.seq) + ", which follows the hash " +
            line.prev + " and not the one of --after");
  } else if (line.seq != 1 || line.prev != no_hash) {
    problem("the log begins with " + line_number(line.seq) +
            ": the lines before are missing. If their files were moved away on purpose, give the "
            "hash of their last line by --after; this line follows " +
            line.prev);
  }
}

void Verifier::check_first_of_file(const Line& line) {
  const bool continues = is_own(line, verb_continued);
  if (lines_of_file_ == 0 && line.seq > 1 &&
      !(continues && line.entry.on == name_of(number_ - 1))) {
    problem("the first line of a file must say that it continues " + name_of(number_ - 1));
  }
  if (lines_of_file_ > 0 && continues) {
    problem("this line begins a file, and stands within one");
  }
}

void Verifier::check_order(const Line& line) {
  if (!follows_known_) return;  // the line before has its own problem
  if (line.seq != last_seq_ + 1) {
    problem(line_number(line.seq) + " stands where " + line_number(last_seq_ + 1) +
            " must be: lines were removed, inserted or moved");
  } else if (line.prev != last_hash_) {
    problem(line_number(line.seq) + " does not follow the line before: one of them was changed");
  }
}

void Verifier::check_head(const Line& line, const RawLine& raw) {
  if (!head_ || !*head_ || line.seq != (*head_)->seq) return;
  const Head& head = **head_;
  head_seen_ = true;
  if (line.hash != head.hash) {
    problem(line_number(line.seq) + " has another hash than the head file says: it was changed");
  } else if (head.file != number_ || head.bytes != raw.end) {
    problem(line_number(line.seq) + " is not at the place that the head file says");
  }
}

void Verifier::check_remarks(const Line& line) {
  if (is_own(line, verb_head_mismatch)) {
    problem("when the broker started, " + line.entry.message);
  }
  if (is_own(line, verb_tail_moved)) {
    report_.notes.push_back(line_number(line.seq) + ": after a crash " + line.entry.message +
                            "; they were moved to the file " + line.entry.on);
  }
}

void Verifier::finish_head() {
  const Finding none{std::string(head_name), 0, {}};
  if (!head_) {
    problem({none.file, 0, head_.error().message});
  } else if (!*head_ && report_.lines > 0) {
    problem({none.file, 0,
             "the file is missing, so lines that were removed from the end of the log cannot be "
             "noticed"});
  } else if (*head_ && !head_seen_) {
    problem({none.file, 0,
             "the file says that " + line_number((*head_)->seq) +
                 " was on disk, and the log ends with " + line_number(last_seq_) +
                 ": lines were removed from its end"});
  }
}

void Verifier::finish_tail() {
  if (!tail_) return;
  report_.notes.push_back(tail_->first.file + ", line " + std::to_string(tail_->first.line) + ": " +
                          std::to_string(tail_->bytes) +
                          " bytes at the end are incomplete and had not been synced: a crash left "
                          "them, or the broker is writing them now");
}

Report Verifier::finish() {
  finish_tail();
  finish_head();
  if (wanted_.noted_hash && !report_.noted_seq) {
    problem({"", 0,
             "no line of the log has the hash " + *wanted_.noted_hash +
                 ": the log was changed, or the hash is of another log"});
  }
  return std::move(report_);
}

}  // namespace millrace::audit
