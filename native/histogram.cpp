#include "histogram.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

#include "color_hash.hpp"
#include "dispatch.hpp"
#include "parallel.hpp"

namespace chromapress {
namespace {

// Opaque images: a counting sort by the upper 12 of the 24 bits, then a table of 4096 counters per bucket. Both tables
// stay in the cache, and the colours come out in order.
constexpr unsigned kLowBits = 12;
constexpr std::size_t kBuckets = std::size_t{1} << (24 - kLowBits);
constexpr std::size_t kLow = std::size_t{1} << kLowBits;
// Neighbouring pixels fall into one bucket, and each would wait for the counter that the last one wrote. So each thread
// reads its pixels at eight distant places in turn, with counters for each.
constexpr std::size_t kStreams = 8;
using Streams = std::array<std::uint32_t, kStreams>;

std::uint32_t key_at(const std::uint8_t* p) {
  return (std::uint32_t{p[0]} << 16) | (std::uint32_t{p[1]} << 8) | std::uint32_t{p[2]};
}

// The same, where a fourth byte may be read.
std::uint32_t key_within(const std::uint8_t* p) {
  std::uint32_t word;
  std::memcpy(&word, p, sizeof word);
  if constexpr (std::endian::native == std::endian::big) return word >> 8;
  return ((word << 16) & 0xff0000u) | (word & 0xff00u) | ((word >> 16) & 0xffu);
}

// visit(key, stream) for every pixel of a part, each time in the same order.
template <typename Visit>
CHROMAPRESS_INLINE void for_each_key(std::span<const std::uint8_t> part, Visit visit) {
  const std::size_t pixels = part.size() / 3, each = (pixels - 1) / kStreams;
  std::array<const std::uint8_t*, kStreams> from;
  for (std::size_t s = 0; s < kStreams; ++s) from[s] = part.data() + 3 * each * s;
  for (std::size_t i = 0; i < each; ++i) {
    for (std::size_t s = 0; s < kStreams; ++s) visit(key_within(from[s] + 3 * i), s);
  }
  for (std::size_t i = each * kStreams; i < pixels; ++i) visit(key_at(part.data() + 3 * i), 0);
}

// The colours of the buckets from `first` on, whose pixels end in `low` where `ends` says; the first begins at `begin`.
Histogram count_buckets(std::size_t first, std::span<const std::uint32_t> ends, const std::uint16_t* low,
                        std::size_t begin) {
  Histogram result;
  result.colors.reserve(std::min<std::size_t>(ends.back() - begin, 65536));
  result.counts.reserve(result.colors.capacity());
  std::array<std::uint32_t, kLow> counters{};
  std::array<std::uint64_t, kLow / 64> seen{};
  for (std::size_t b = 0; b < ends.size(); ++b) {
    const std::size_t end = ends[b];
    if (end == begin) continue;
    for (; begin < end; ++begin) {
      const std::size_t l = low[begin];
      ++counters[l];
      seen[l / 64u] |= std::uint64_t{1} << (l % 64u);
    }
    const auto upper = static_cast<std::uint32_t>((first + b) << kLowBits);
    for (std::size_t word = 0; word < seen.size(); ++word) {
      for (std::uint64_t left = std::exchange(seen[word], 0); left != 0; left &= left - 1) {
        const std::size_t l = word * 64 + static_cast<std::size_t>(std::countr_zero(left));
        result.colors.push_back(from_key(((upper | static_cast<std::uint32_t>(l)) << 8) | 255u));
        result.counts.push_back(std::exchange(counters[l], 0));
      }
    }
  }
  return result;
}

void append(Histogram& to, const Histogram& more) {
  to.colors.insert(to.colors.end(), more.colors.begin(), more.colors.end());
  to.counts.insert(to.counts.end(), more.counts.begin(), more.counts.end());
}

Histogram histogram_rgb(const Pixels& pixels, std::size_t threads) {
  if (pixels.size() > UINT32_MAX) throw std::invalid_argument("an image has at most 2^32 - 1 pixels");
  threads = std::clamp<std::size_t>(pixels.size() / kPixelsPerThread, 1, threads);
  const auto part = [&](std::size_t t) {
    const std::size_t begin = pixels.size() * t / threads, end = pixels.size() * (t + 1) / threads;
    return pixels.data.subspan(3 * begin, 3 * (end - begin));
  };
  std::vector<std::vector<Streams>> places(threads);
  in_parallel(threads, threads, [&](std::size_t t) {
    places[t].resize(kBuckets);
    for_each_key(part(t), [to = places[t].data()](std::uint32_t key, std::size_t s) { ++to[key >> kLowBits][s]; });
  });
  std::vector<std::uint32_t> ends(kBuckets);
  std::uint32_t place = 0;
  for (std::size_t b = 0; b < kBuckets; ++b) {
    for (auto& of_thread : places) {
      for (std::uint32_t& count : of_thread[b]) place += std::exchange(count, place);
    }
    ends[b] = place;
  }
  const auto low = std::make_unique_for_overwrite<std::uint16_t[]>(pixels.size());
  in_parallel(threads, threads, [&](std::size_t t) {
    for_each_key(part(t), [to = places[t].data(), out = low.get()](std::uint32_t key, std::size_t s) {
      out[to[key >> kLowBits][s]++] = static_cast<std::uint16_t>(key & (kLow - 1));
    });
  });
  // Buckets in runs of about equally many pixels.
  std::vector<Histogram> runs(threads);
  in_parallel(threads, threads, [&](std::size_t t) {
    const auto after = [&](std::size_t share) {
      const auto pixel = static_cast<std::uint32_t>(pixels.size() * share / threads);
      return static_cast<std::size_t>(std::lower_bound(ends.begin(), ends.end(), pixel) - ends.begin());
    };
    const std::size_t first = t == 0 ? 0 : after(t) + 1, last = after(t + 1) + 1;
    if (first >= last) return;
    runs[t] = count_buckets(first, std::span(ends).subspan(first, last - first), low.get(), first == 0 ? 0 : ends[first - 1]);
  });
  for (std::size_t t = 1; t < threads; ++t) append(runs[0], runs[t]);
  return std::move(runs[0]);
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

Histogram histogram(const Pixels& pixels, std::size_t threads) {
  return pixels.channels == 3 ? histogram_rgb(pixels, thread_count(threads)) : histogram_rgba(pixels);
}

void validate(const HistogramView& view) {
  constexpr std::int64_t kMaxPixels = std::int64_t{1} << 48;
  if (view.colors.size() != view.counts.size()) throw std::invalid_argument("colors and counts differ in length");
  std::int64_t total = 0;
  for (std::size_t i = 0; i < view.colors.size(); ++i) {
    const Rgba c = view.colors[i];
    if (i > 0 && key_of(view.colors[i - 1]) >= key_of(c)) {
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
