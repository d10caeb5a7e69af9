#include <algorithm>
#include <random>

#include "check.hpp"
#include "deflate_matches.hpp"
#include "near_repeats.hpp"

using namespace chromapress;

namespace {

// Position by position. Of each pattern, the nearest positions that are alike; all of them if `looks` is 0.
std::vector<std::size_t> slow_repeats(const std::vector<std::uint8_t>& data, std::size_t added, std::size_t looks,
                                      std::size_t at) {
  std::vector<std::size_t> distances;
  for (const auto& pattern : NearRepeats::kPatterns) {
    std::size_t looked = 0;
    for (std::size_t distance = at + 1 - std::min(at, added); distance <= std::min(at, kWindow); ++distance) {
      const std::size_t position = at - distance;
      if (position >= added || position + NearRepeats::kLongest > data.size()) continue;
      const auto here = data.begin() + static_cast<std::ptrdiff_t>(position);
      if (position > 0 && std::count(here - 1, here + NearRepeats::kLongest, *here) == NearRepeats::kLongest + 1)
        continue;
      bool alike = true;
      for (const std::size_t place : pattern) alike = alike && data[position + place] == data[at + place];
      if (!alike) continue;
      distances.push_back(distance);
      if (++looked == looks) break;
    }
  }
  return distances;
}

std::vector<std::uint8_t> random_bytes(std::mt19937& random, std::size_t size, unsigned values) {
  std::vector<std::uint8_t> data;
  while (data.size() < size) {
    const auto byte = static_cast<std::uint8_t>(random() % values);
    data.insert(data.end(), random() % 8 == 0 ? random() % 12 : 1, byte);
  }
  data.resize(size);
  return data;
}

void nearest_of_each_pattern() {
  std::mt19937 random(4);
  for (int round = 0; round < 2000; ++round) {
    const std::vector<std::uint8_t> data = random_bytes(random, random() % 200, 1 + random() % 32);
    const std::size_t looks = 1 + random() % 9, added = random() % (data.size() + 1);
    NearRepeats repeats(data, looks);
    repeats.add(random() % (added + 1));
    repeats.add(added);
    std::vector<std::size_t> distances;
    for (std::size_t at = added; at < data.size(); ++at) {
      repeats.find(at, distances);
      const bool whole = at + NearRepeats::kLongest <= data.size();
      CHECK(distances == (whole ? slow_repeats(data, added, looks, at) : std::vector<std::size_t>{}));
    }
  }
}

// With more values, and beyond the window, some of those that are alike.
void within_the_window() {
  std::mt19937 random(5);
  const std::vector<std::uint8_t> data = random_bytes(random, 3 * kWindow, 256);
  NearRepeats repeats(data, 16);
  std::vector<std::size_t> distances;
  std::size_t found = 0;
  for (std::size_t at = 0; at + NearRepeats::kLongest <= data.size(); at += 1 + random() % 2000) {
    repeats.add(at);
    repeats.find(at, distances);
    const std::vector<std::size_t> all = slow_repeats(data, at, 0, at);
    for (const std::size_t d : distances) CHECK(std::find(all.begin(), all.end(), d) != all.end());
    found += distances.size();
  }
  CHECK(found > 0);
}

// What repeats itself at one distance is found there, if that is not beyond the window.
void up_to_the_window() {
  std::mt19937 random(6);
  for (const std::size_t period : {kWindow - 1, kWindow, kWindow + 1, kWindow + 8}) {
    std::vector<std::uint8_t> data = random_bytes(random, period, 256);
    for (std::size_t i = 0; i < 1000; ++i) data.push_back(data[i]);
    NearRepeats repeats(data, 16);
    std::vector<std::size_t> distances;
    std::size_t found = 0;
    for (std::size_t at = period; at + NearRepeats::kLongest <= data.size(); ++at) {
      repeats.add(at);
      repeats.find(at, distances);
      found += std::find(distances.begin(), distances.end(), period) != distances.end();
    }
    CHECK((found > 500) == (period <= kWindow) && (found == 0) == (period > kWindow));
  }
}

}  // namespace

int main() {
  nearest_of_each_pattern();
  up_to_the_window();
  within_the_window();
}
