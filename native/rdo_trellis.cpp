#include "rdo_trellis.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace chromapress {
namespace {
constexpr std::int32_t kUnreached = 1 << 30;
constexpr std::int32_t kSlack = 24 * 64;
}  // namespace

std::uint8_t Trellis::predict(std::size_t x, std::uint8_t left) const {
  const int up = above_[x + 1], corner = above_[x];
  switch (filter_) {
    case 0: return 0;
    case 1: return left;
    case 2: return static_cast<std::uint8_t>(up);
    case 3: return static_cast<std::uint8_t>((left + up) / 2);
    default: break;
  }
  const int to_left = std::abs(up - corner), to_up = std::abs(left - corner), to_corner = std::abs(left + up - 2 * corner);
  return static_cast<std::uint8_t>(to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner);
}

void Trellis::step_literal(std::size_t x) {
  const Choices& to = choices_[x];
  Column& next = columns_[x + 1];
  const Column& here = columns_[x];
  const bool left_matters = filter_ == 1 || filter_ >= 3;
  const std::size_t n = x == 0 ? 1 : choices_[x - 1].n;
  for (std::size_t s = 0; s < n; ++s) {
    if (!left_matters && s != here.best) continue;
    const std::int32_t cost = here.nodes[s].cost;
    if (cost > here.least + 16 * 64) continue;
    const std::uint8_t p = predict(x, x == 0 ? std::uint8_t{0} : choices_[x - 1].index[s]);
    for (std::size_t t = 0; t < to.n; ++t) {
      const auto byte = static_cast<std::uint8_t>(to.index[t] - p);
      const std::int32_t c = cost + static_cast<std::int32_t>(costs_->literal[byte]) + to.excess[t];
      if (c < next.nodes[t].cost) next.nodes[t] = {c, 0, 0, static_cast<std::uint8_t>(s), byte};
    }
  }
  next.least = kUnreached;
  for (std::size_t t = 0; t < to.n; ++t) {
    if (next.nodes[t].cost < next.least) next.least = next.nodes[t].cost, next.best = static_cast<std::uint8_t>(t);
  }
}

void Trellis::step_match(std::size_t x, std::size_t place, std::size_t distance) {
  const bool run = distance == 1;
  if (!run && (distance <= x || distance > kWindow || distance > start_ + x)) return;
  const Node& node = columns_[x].nodes[place];
  const std::uint8_t* from = rows_.data() + start_ + x - distance;
  std::size_t most = std::min(kMaxMatch, width_ - x);
  if (!run) most = std::min(most, distance - x);
  std::uint8_t index = x == 0 ? std::uint8_t{0} : choices_[x - 1].index[place];
  const std::int32_t base = node.cost + static_cast<std::int32_t>(costs_->distance[code_of_distance(distance).code]);
  std::int32_t excess = 0;
  for (std::size_t j = 0; j < most; ++j) {
    const std::uint8_t b = run ? node.byte : from[j];
    index = static_cast<std::uint8_t>(predict(x + j, index) + b);
    const std::size_t t = choices_[x + j].place(index);
    if (t == kChoices) break;
    excess += choices_[x + j].excess[t];
    if (excess > kSlack) break;
    if (j + 1 < kMinMatch) continue;
    Node& end = columns_[x + j + 1].nodes[t];
    const std::int32_t c = base + excess + static_cast<std::int32_t>(costs_->length[j + 1]);
    if (c < end.cost) {
      end = {c, static_cast<std::uint16_t>(j + 1), static_cast<std::uint16_t>(distance), static_cast<std::uint8_t>(place), b};
    }
  }
}

void Trellis::trace() {
  std::size_t place = columns_[width_].best;
  for (std::size_t end = width_; end > 0;) {
    const Node& node = columns_[end].nodes[place];
    const std::size_t x = end - (node.length == 0 ? 1 : node.length);
    std::uint8_t index = x == 0 ? std::uint8_t{0} : choices_[x - 1].index[node.from];
    for (std::size_t j = x; j < end; ++j) {
      const std::uint8_t b = node.length == 0 || node.distance == 1 ? node.byte : rows_[start_ + j - node.distance];
      index = static_cast<std::uint8_t>(predict(j, index) + b);
      current_[j] = index;
      rows_[start_ + j] = b;
    }
    end = x;
    place = node.from;
  }
}

void Trellis::row(std::size_t y, std::span<const Choices> choices, const Matches& matches, std::size_t first,
                  std::span<std::uint8_t> indices) {
  choices_ = choices;
  start_ = y * (width_ + 1) + 1;
  filter_ = rows_[start_ - 1];
  current_ = indices.subspan(y * width_, width_);
  above_.assign(width_ + 1, 0);
  if (y > 0) std::copy_n(indices.begin() + static_cast<std::ptrdiff_t>((y - 1) * width_), width_, above_.begin() + 1);
  columns_.resize(width_ + 1);
  for (Column& c : columns_) {
    for (Node& node : c.nodes) node = {kUnreached, 0, 0, 0, 0};
    c.least = kUnreached;
    c.best = 0;
  }
  columns_[0].nodes[0] = {0, 0, 0, 0, 0};
  columns_[0].least = 0;
  const std::size_t stride = width_ + 1;
  const bool left_matters = filter_ == 1 || filter_ >= 3;
  static const int kStarts = getenv("STARTS") ? atoi(getenv("STARTS")) : 1;
  for (std::size_t x = 0; x < width_; ++x) {
    step_literal(x);
    const Column& here = columns_[x];
    const std::size_t n = x == 0 ? 1 : choices_[x - 1].n;
    // the best few
    std::array<std::uint8_t, kChoices> order{};
    std::size_t starts = 0;
    if (!left_matters || kStarts == 1) order[starts++] = here.best;
    else {
      for (std::size_t s = 0; s < n; ++s) order[s] = static_cast<std::uint8_t>(s);
      starts = std::min<std::size_t>(n, static_cast<std::size_t>(kStarts));
      std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(starts), order.begin() + static_cast<std::ptrdiff_t>(n),
                        [&](std::uint8_t a, std::uint8_t b) { return here.nodes[a].cost < here.nodes[b].cost; });
    }
    for (std::size_t i = 0; i < starts; ++i) {
      const std::size_t s = order[i];
      if (here.nodes[s].cost >= kUnreached) continue;
      if (x > 0) step_match(x, s, 1);
      for (const std::size_t distance : {stride, stride - 1, stride + 1, 2 * stride}) step_match(x, s, distance);
      if (here.nodes[s].length > 0 && here.nodes[s].distance > 1) step_match(x, s, here.nodes[s].distance);
      const std::span<const Match> found = matches.at(start_ + x - first);
      for (const Match m : found.last(std::min<std::size_t>(found.size(), 4))) step_match(x, s, m.distance);
    }
  }
  trace();
}

}  // namespace chromapress
