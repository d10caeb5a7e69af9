#include "near_repeats.hpp"

#include <algorithm>

#include "deflate_matches.hpp"

namespace chromapress {
namespace {

constexpr unsigned kHashBits = 15;

using Pattern = std::array<std::size_t, 3>;

// Different for all values below 32, of which most maps that are not filtered are.
std::size_t hash(const std::uint8_t* p, const Pattern& pattern) {
  const std::size_t a = p[pattern[0]], b = p[pattern[1]], c = p[pattern[2]];
  return (a ^ b << 5 ^ c << 10 ^ c >> 5 << 2) & ((1u << kHashBits) - 1);
}

bool alike(const std::uint8_t* a, const std::uint8_t* b, const Pattern& pattern) {
  return std::all_of(pattern.begin(), pattern.end(), [a, b](std::size_t place) { return a[place] == b[place]; });
}

}  // namespace

NearRepeats::NearRepeats(std::span<const std::uint8_t> data, std::size_t looks) : data_(data), looks_(looks) {
  for (Chains& chains : chains_) {
    chains.heads.assign(std::size_t{1} << kHashBits, 0);
    chains.previous.assign(std::min(kWindow, data.size()), 0);
  }
}

void NearRepeats::add(std::size_t end) {
  end = std::min(end, data_.size() < kLongest ? 0 : data_.size() - kLongest + 1);
  for (; added_ < end; ++added_) {
    const std::uint8_t* here = data_.data() + added_;
    if (added_ > 0 && std::all_of(here, here + kLongest, [here](std::uint8_t b) { return b == here[-1]; })) continue;
    for (std::size_t i = 0; i < kPatterns.size(); ++i) {
      std::uint32_t& head = chains_[i].heads[hash(here, kPatterns[i])];
      chains_[i].previous[added_ % kWindow] = head;
      head = static_cast<std::uint32_t>(added_ + 1);
    }
  }
}

void NearRepeats::find(std::size_t at, std::vector<std::size_t>& distances) const {
  distances.clear();
  if (at + kLongest > data_.size()) return;
  const std::uint8_t* here = data_.data() + at;
  const std::size_t oldest = at > kWindow ? at - kWindow : 0;  // of what is not overwritten
  for (std::size_t i = 0; i < kPatterns.size(); ++i) {
    const Chains& chains = chains_[i];
    std::size_t position = chains.heads[hash(here, kPatterns[i])];
    for (std::size_t look = 0; look < looks_ && position > oldest; ++look) {
      if (alike(data_.data() + position - 1, here, kPatterns[i])) distances.push_back(at - (position - 1));
      position = chains.previous[(position - 1) % kWindow];
    }
  }
}

}  // namespace chromapress
