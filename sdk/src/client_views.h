// The wire's views as the public ones, and how the views of several shards add up.
#pragma once

#include "wire/messages.h"

#include <millrace/client.h>

#include <string>

namespace millrace {

[[nodiscard]] std::string hex(const wire::Id& id);
[[nodiscard]] ShardView view_of_shard(const wire::ShardView& told);
[[nodiscard]] BackupView view_of_backup(const wire::BackupView& told);
void add_topic(TopicView& sum, const wire::TopicView& told);
void add_session(SessionView& sum, const wire::SessionView& told);

}  // namespace millrace
