#include "rdo_trellis.hpp"

#include <algorithm>
#include <cstdlib>

#include "log2.hpp"

namespace chromapress {
namespace {

constexpr std::int32_t kUnreached = 1 << 30;
// A match whose pixels are worse by more than this, and by so much for each pixel, is not followed further.
constexpr std::size_t kSlack = std::size_t{24} * kBit, kSlackEach = kBit;
// No other is looked for within a match of this length that is nearly free of error.
constexpr std::size_t kLongMatch = 32, kFreeEach = kBit / 8;
// How many of the matches in the map before are tried.
constexpr std::size_t kFound = 2;

// The filters' predictions (ISO/IEC 15948, clause 9.2).
template <std::uint8_t filter>
std::uint8_t predict(int left, int up, int corner) {
  if constexpr (filter == 1) return static_cast<std::uint8_t>(left);
  if constexpr (filter == 2) return static_cast<std::uint8_t>(up);
  if constexpr (filter == 3) return static_cast<std::uint8_t>((left + up) / 2);
  const int to_left = std::abs(up - corner), to_up = std::abs(left - corner),
            to_corner = std::abs(left + up - 2 * corner);
  return static_cast<std::uint8_t>(to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner);
}

}  // namespace

void Trellis::set_costs(const Costs& costs) {
  for (std::size_t i = 0; i < literal_.size(); ++i) literal_[i] = static_cast<std::int32_t>(costs.literal[i % 256]);
  for (std::size_t i = 0; i < length_.size(); ++i) length_[i] = static_cast<std::int32_t>(costs.length[i]);
  for (std::size_t i = 0; i < distance_.size(); ++i) distance_[i] = static_cast<std::int32_t>(costs.distance[i]);
  const auto [least, most] = std::minmax_element(literal_.begin(), literal_.end());
  spread_ = *most - *least;
}

template <std::uint8_t filter>
void Trellis::step_literal(std::size_t x) {
  const Choices& to = choices_[x];
  const Column& here = columns_[x];
  Column& next = columns_[x + 1];
  std::array<std::int32_t, kChoices> least;
  std::array<std::uint8_t, kChoices> from{}, byte{};
  least.fill(kUnreached);
  constexpr bool left_matters = filter == 1 || filter >= 3;
  const std::int32_t most = here.cost[here.best] + spread_;
  for (std::size_t s = left_matters ? 0 : here.best; s < (left_matters ? here.n : here.best + 1); ++s) {
    const std::int32_t cost = here.cost[s];
    if (cost > most) continue;
    const std::uint8_t prediction = predict<filter>(here.index[s], above_[x + 1], above_[x]);
    const std::int32_t* price = literal_.data() + 256 - prediction;
    for (std::size_t t = 0; t < to.n; ++t) {
      const std::int32_t c = cost + price[to.index[t]];
      const bool better = c < least[t];
      least[t] = better ? c : least[t];
      from[t] = better ? static_cast<std::uint8_t>(s) : from[t];
      byte[t] = better ? static_cast<std::uint8_t>(to.index[t] - prediction) : byte[t];
    }
  }
  next.best = 0;
  for (std::size_t t = 0; t < to.n; ++t) {
    const std::int32_t c = least[t] + to.excess[t];
    if (c < next.cost[t]) {
      next.cost[t] = c;
      next.length[t] = 0;
      next.from[t] = from[t];
      next.byte[t] = byte[t];
    }
    if (next.cost[t] < next.cost[next.best]) next.best = t;
  }
}

// Returns over how many pixels next to no error is added.
template <std::uint8_t filter>
std::size_t Trellis::step_match(std::size_t x, std::size_t distance) {
  const bool run = distance == 1;
  if (!run && (distance <= x || distance > kWindow || distance > start_ + x)) return 0;
  const Column& here = columns_[x];
  const std::size_t most = std::min({kMaxMatch, choices_.size() - x, run ? kMaxMatch : distance - x});
  const std::uint8_t* from = rows_.data() + start_ + x - distance;
  std::uint8_t index = here.index[here.best], byte = here.byte[here.best];
  std::size_t excess = 0, free = 0;
  std::int32_t base = 0;
  for (std::size_t j = 0; j < most; ++j) {
    if (!run) byte = from[j];
    index = static_cast<std::uint8_t>(predict<filter>(index, above_[x + j + 1], above_[x + j]) + byte);
    const Choices& choices = choices_[x + j];
    const std::size_t t = choices.place(index);
    if (t == kChoices) break;
    excess += choices.excess[t];
    if (excess > kSlack + j * kSlackEach) break;
    if (excess <= j * kFreeEach) free = j + 1;
    if (j + 1 < kMinMatch) continue;
    if (j + 1 == kMinMatch) base = here.cost[here.best] + distance_[code_of_distance(distance).code];
    Column& end = columns_[x + j + 1];
    const std::int32_t c = base + static_cast<std::int32_t>(excess) + length_[j + 1];
    if (c >= end.cost[t]) continue;
    end.cost[t] = c;
    end.length[t] = static_cast<std::uint16_t>(j + 1);
    end.distance[t] = static_cast<std::uint16_t>(distance);
    end.from[t] = static_cast<std::uint8_t>(here.best);
    end.byte[t] = byte;
  }
  return free;
}

template <std::uint8_t filter>
void Trellis::trace() {
  std::size_t place = columns_[choices_.size()].best;
  for (std::size_t end = choices_.size(); end > 0;) {
    const Column& column = columns_[end];
    const std::size_t length = column.length[place], distance = column.distance[place];
    const std::size_t x = end - (length == 0 ? 1 : length), from = column.from[place];
    std::uint8_t index = columns_[x].index[from];
    for (std::size_t j = x; j < end; ++j) {
      const std::uint8_t byte = length == 0 || distance == 1 ? column.byte[place] : rows_[start_ + j - distance];
      index = static_cast<std::uint8_t>(predict<filter>(index, above_[j + 1], above_[j]) + byte);
      indices_[j] = index;
      rows_[start_ + j] = byte;
    }
    end = x;
    place = from;
  }
}

template <std::uint8_t filter>
void Trellis::search(const Matches& matches, std::size_t first) {
  const std::size_t stride = width_ + 1;
  // A run, the pixels above and beside these, and what the map before repeats here.
  const std::array<std::size_t, 4> always = {1, stride, stride - 1, stride + 1};
  std::size_t quiet = 0;
  for (std::size_t x = 0; x < choices_.size(); ++x) {
    step_literal<filter>(x);
    if (x < quiet) continue;
    const auto step = [&](std::size_t distance) {
      const std::size_t free = step_match<filter>(x, distance);
      if (free >= kLongMatch) quiet = std::max(quiet, x + free);
    };
    for (const std::size_t distance : always) step(distance);
    const std::span<const Match> found = matches.at(start_ + x - first);
    for (const Match m : found.last(std::min(found.size(), kFound))) {
      if (std::find(always.begin(), always.end(), m.distance) == always.end()) step(m.distance);
    }
  }
  trace<filter>();
}

std::int32_t Trellis::decide(std::size_t y, std::size_t left, std::span<const Choices> choices, const Matches& matches,
                             std::size_t first, std::span<std::uint8_t> indices) {
  const std::size_t n = choices.size();
  const std::uint8_t filter = rows_[y * (width_ + 1)];
  if (left == 0) last_index_ = 0, last_byte_ = filter;
  start_ = y * (width_ + 1) + 1 + left;
  choices_ = choices;
  indices_ = indices.subspan(y * width_ + left, n);
  above_.assign(n + 1, 0);
  for (std::size_t x = left == 0 ? 1 : 0; y > 0 && x <= n; ++x) above_[x] = indices[(y - 1) * width_ + left + x - 1];
  columns_.resize(n + 1);
  columns_[0].cost[0] = 0;
  columns_[0].index[0] = last_index_;
  columns_[0].byte[0] = last_byte_;
  columns_[0].n = 1;
  columns_[0].best = 0;
  for (std::size_t x = 0; x < n; ++x) {
    columns_[x + 1].cost.fill(kUnreached);
    columns_[x + 1].index = choices[x].index;
    columns_[x + 1].n = choices[x].n;
  }
  switch (filter) {
    case 1:
      search<1>(matches, first);
      break;
    case 2:
      search<2>(matches, first);
      break;
    case 3:
      search<3>(matches, first);
      break;
    default:
      search<4>(matches, first);
      break;
  }
  const Column& end = columns_[n];
  last_index_ = end.index[end.best];
  last_byte_ = end.byte[end.best];
  return end.cost[end.best];
}

}  // namespace chromapress
