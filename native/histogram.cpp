#include "histogram.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "color_hash.hpp"

namespace chromapress {
namespace {

// Opaque images: a counting sort by the upper 12 of the 24 bits, then a table of 4096 counters per bucket. Both tables
// stay in the cache, and the colours come out in order.
constexpr unsigned kLowBits = 12;
constexpr std::size_t kBuckets = std::size_t{1} << (24 - kLowBits);
constexpr std::size_t kLow = std::size_t{1} << kLowBits;

std::uint32_t big_endian(std::uint32_t word) {
  if constexpr (std::endian::native == std::endian::big) return word;
  return (word << 24) | ((word & 0xff00u) << 8) | ((word >> 8) & 0xff00u) | (word >> 24);
}

// visit(key) for the 24-bit key of every pixel. Four bytes are read at once, but for the last pixel.
template <typename Visit>
void for_each_key(const Pixels& pixels, Visit visit) {
  const std::uint8_t* p = pixels.data.data();
  const std::uint8_t* last = p + 3 * (pixels.size() - 1);
  for (; p < last; p += 3) {
    std::uint32_t word;
    std::memcpy(&word, p, sizeof word);
    visit(big_endian(word) >> 8);
  }
  visit((std::uint32_t{last[0]} << 16) | (std::uint32_t{last[1]} << 8) | std::uint32_t{last[2]});
}

Histogram histogram_rgb(const Pixels& pixels) {
  std::vector<std::uint32_t> ends(kBuckets + 1, 0);
  for_each_key(pixels, [&ends](std::uint32_t key) { ++ends[(key >> kLowBits) + 1]; });
  for (std::size_t b = 0; b < kBuckets; ++b) ends[b + 1] += ends[b];
  const auto low = std::make_unique_for_overwrite<std::uint16_t[]>(pixels.size());
  for_each_key(pixels, [&ends, &low](std::uint32_t key) {
    low[ends[key >> kLowBits]++] = static_cast<std::uint16_t>(key & (kLow - 1));
  });
  // After the scatter, ends[b] is where bucket b ends.
  Histogram result;
  result.colors.reserve(std::min<std::size_t>(pixels.size(), 65536));
  result.counts.reserve(std::min<std::size_t>(pixels.size(), 65536));
  std::array<std::uint32_t, kLow> counters{};
  std::array<std::uint64_t, kLow / 64> seen{};
  std::size_t begin = 0;
  for (std::size_t b = 0; b < kBuckets; ++b) {
    const std::size_t end = ends[b];
    if (end == begin) continue;
    for (; begin < end; ++begin) {
      const std::uint16_t l = low[begin];
      ++counters[l];
      seen[l / 64u] |= std::uint64_t{1} << (l % 64u);
    }
    for (std::size_t word = 0; word < seen.size(); ++word) {
      for (; seen[word] != 0; seen[word] &= seen[word] - 1) {
        const std::size_t l = word * 64 + static_cast<std::size_t>(std::countr_zero(seen[word]));
        result.colors.push_back(from_key((static_cast<std::uint32_t>((b << kLowBits) | l) << 8) | 255u));
        result.counts.push_back(counters[l]);
        counters[l] = 0;
      }
    }
  }
  return result;
}

Histogram histogram_rgba(const Pixels& pixels) {
  ColorHash<std::int64_t> counts;
  std::uint32_t run_key = 0;
  std::int64_t run = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const Rgba c = pixels.at(i);
    const std::uint32_t key = c.a == 0 ? 0 : key_of(c);
    if (key != run_key && run != 0) {
      counts(run_key) += run;
      run = 0;
    }
    run_key = key;
    ++run;
  }
  if (run != 0) counts(run_key) += run;

  struct Entry {
    std::uint32_t key;
    std::int64_t count;
  };
  std::vector<Entry> entries;
  entries.reserve(counts.size());
  counts.for_each([&](std::uint32_t key, std::int64_t count) { entries.push_back({key, count}); });
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
  Histogram result;
  result.colors.reserve(entries.size());
  result.counts.reserve(entries.size());
  for (const Entry& e : entries) {
    result.colors.push_back(from_key(e.key));
    result.counts.push_back(e.count);
  }
  return result;
}

}  // namespace

Histogram histogram(const Pixels& pixels) {
  return pixels.channels == 3 ? histogram_rgb(pixels) : histogram_rgba(pixels);
}

void validate(const HistogramView& view) {
  constexpr std::int64_t kMaxPixels = std::int64_t{1} << 48;
  if (view.colors.size() != view.counts.size()) throw std::invalid_argument("colors and counts differ in length");
  std::int64_t total = 0;
  for (std::size_t i = 0; i < view.colors.size(); ++i) {
    const Rgba c = view.colors[i];
    if (i > 0 && !(view.colors[i - 1] < c)) {
      throw std::invalid_argument("colors must be distinct and in lexicographic order");
    }
    if (c.a == 0 && key_of(c) != 0) throw std::invalid_argument("a fully transparent color must be (0, 0, 0, 0)");
    if (view.counts[i] < 1 || view.counts[i] > kMaxPixels - total) {
      throw std::invalid_argument("counts must be at least 1 and their sum at most 2^48");
    }
    total += view.counts[i];
  }
}

}  // namespace chromapress
