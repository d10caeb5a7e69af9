#include "rdo.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "activity.hpp"
#include "deflate.hpp"
#include "log2.hpp"
#include "map.hpp"
#include "near_entries.hpp"
#include "palette_order.hpp"
#include "png_format.hpp"
#include "rdo_trellis.hpp"
#include "row_filter.hpp"

namespace chromapress {
namespace {

// More bits than an entry can save.
constexpr std::uint16_t kLargestExcess = 12 * kBit;
// How hard rows that are not filtered, which live on matches, are searched.
struct Hardness {
  std::array<std::size_t, 2> looks;  // for near repeats; the second pass begins with what fits together already
  int parses;                        // from which costs are learned
};
// The fewer the colours, the more positions are alike, and the longer good ones are looked for.
constexpr Hardness kOfFew{{2, 10}, 4}, kOfMany{{2, 4}, 2};
constexpr std::size_t kFew = 32;

// How a map's rows are written. Where several pixels share a byte, without a filter.
struct Writing {
  Format format;
  Filtering filtering;
  [[nodiscard]] bool plain() const { return filtering == Filtering::none; }
};

std::vector<std::uint8_t> packed_rows(const Shaped& shaped, std::size_t width, Writing writing) {
  return pack(shaped.indices, width, shaped.palette, writing.format);
}

std::vector<std::uint8_t> filtered_rows(const Shaped& shaped, std::size_t width, Writing writing) {
  return filter_rows(packed_rows(shaped, width, writing), row_bytes(width, writing.format), writing.filtering);
}

// The sum of the weighted squared errors.
double error_of(const Pixels& pixels, const Shaped& shaped, Activity& activity) {
  std::vector<Point> points;
  for (const Rgba c : shaped.palette) points.push_back(premultiply(c));
  std::vector<float> weights(pixels.width);
  double error = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    if (i % pixels.width == 0) activity.weights(i / pixels.width, weights);
    error += static_cast<double>(weights[i % pixels.width]) *
             squared_distance(premultiply(pixels.at(i)), points[shaped.indices[i]]);
  }
  return error;
}

// `order[position]` is the entry that goes there. Returns where each entry went.
std::vector<std::uint8_t> reorder(Shaped& shaped, std::span<const std::uint8_t> order) {
  std::vector<std::uint8_t> position(order.size());
  std::vector<Rgba> palette;
  for (const std::uint8_t entry : order) {
    position[entry] = static_cast<std::uint8_t>(palette.size());
    palette.push_back(shaped.palette[entry]);
  }
  shaped.palette.swap(palette);
  for (std::uint8_t& i : shaped.indices) i = position[i];
  return position;
}

// An order in which neighbours have near indices.
std::vector<std::uint8_t> smooth_order(const Shaped& shaped, std::size_t width) {
  const std::size_t n = shaped.palette.size();
  return palette_order(Neighbors(shaped.indices, width, n, 1), 0, std::min(16 * n * n, 8 * shaped.indices.size()));
}

// For unfiltered rows: an order in which what is most often at the sides is 0, as the filter's byte between them is.
std::vector<std::uint8_t> plain_order(const Shaped& shaped, std::size_t width) {
  std::vector<std::size_t> counts(shaped.palette.size(), 0);
  for (std::size_t at = 0; at < shaped.indices.size(); at += width) {
    ++counts[shaped.indices[at]];
    ++counts[shaped.indices[at + width - 1]];
  }
  std::vector<std::uint8_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  std::swap(order[0], order[static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin())]);
  return order;
}

// Entries move to the mean of their pixels.
void move_centres(const Pixels& pixels, Shaped& shaped, const std::array<bool, kMaxColors>& keeps) {
  std::array<Point, kMaxColors> sums{};
  std::array<double, kMaxColors> counts{};
  for (std::size_t i = 0; i < shaped.indices.size(); ++i) {
    const Point p = premultiply(pixels.at(i));
    for (std::size_t d = 0; d < 4; ++d) sums[shaped.indices[i]][d] += p[d];
    counts[shaped.indices[i]] += 1;
  }
  for (std::size_t c = 0; c < shaped.palette.size(); ++c) {
    if (counts[c] == 0 || keeps[c]) continue;
    Point mean = sums[c];
    for (double& v : mean) v /= counts[c];
    if (kind_of(shaped.palette[c]) == Kind::opaque) mean[3] = 255;
    const Rgba color = to_straight(mean);
    if (kind_of(color) == kind_of(shaped.palette[c])) shaped.palette[c] = color;
  }
}

// What codes cost in a parse of data[first, first + size).
Costs learned_costs(std::span<const std::uint8_t> data, std::size_t first, std::size_t size, const Matches& matches,
                    int parses) {
  Costs costs = first_costs(data.subspan(first, size));
  for (int i = 0; i < parses; ++i) {
    std::vector<Token> tokens;
    parse(data, first, first + size, matches, first, costs, tokens);
    CodeCounts counts;
    for (const Token& token : tokens) counts.add(token);
    costs = costs_of(counts, false);
  }
  return costs;
}

// Replaces the map by a cheaper one. `unit`: the excess of a squared level.
void search(const Pixels& pixels, Shaped& shaped, Writing writing, Activity& activity, double unit, std::size_t looks,
            int parses) {
  const std::size_t w = pixels.width, row = row_bytes(w, writing.format), stride = row + 1;
  const std::size_t per_byte = 8 / writing.format.depth;
  // The map before, from which bits' costs and matches are learned, and which is replaced row by row.
  const std::vector<std::uint8_t> before = filtered_rows(shaped, w, writing);
  std::vector<std::uint8_t> rows = before, packed = packed_rows(shaped, w, writing);
  const std::vector<std::uint8_t> nearest = map_pixels(pixels, shaped.palette, ColorSpace::srgb, 0.0);
  const NearEntries entries(shaped.palette);
  // Rows that are not filtered are decided in parts, so that a row may repeat what is to the left.
  const std::size_t columns = writing.plain() ? Trellis::kColumns / 4 : Trellis::kColumns;
  Trellis trellis(row, rows, looks);
  std::vector<Choices> choices, in_byte;
  std::vector<float> weights(w);
  MatchFinder finder(before, writing.plain() ? 32 : 12);
  Matches matches;
  // Bands, so that memory is bounded and costs are local.
  constexpr std::size_t kBand = std::size_t{1} << 20;
  const std::size_t band = std::max<std::size_t>(1, kBand / stride);
  for (std::size_t top = 0; top < pixels.height; top += band) {
    const std::size_t bottom = std::min(pixels.height, top + band), first = top * stride;
    const std::size_t bytes = (bottom - top) * stride, learned = std::min(bytes, kBand);
    finder.find(bytes, matches);
    trellis.set_costs(learned_costs(before, first, learned, matches, writing.plain() ? parses : 1));
    for (std::size_t y = top; y < bottom; ++y) {
      activity.weights(y, weights);
      for (std::size_t left = 0; left < row; left += columns) {
        choices.clear();
        for (std::size_t byte = left; byte < std::min(row, left + columns); ++byte) {
          in_byte.clear();
          for (std::size_t x = byte * per_byte; x < std::min(w, (byte + 1) * per_byte); ++x) {
            const auto weight = static_cast<float>(static_cast<double>(weights[x]) * unit);
            in_byte.push_back(entries.of(pixels.at(y * w + x), nearest[y * w + x], weight, kLargestExcess));
          }
          choices.push_back(per_byte == 1 ? in_byte[0] : together(in_byte, writing.format.depth));
        }
        trellis.decide(y, left, choices, matches, first, packed);
      }
    }
  }
  shaped.indices = unpack(packed, w, writing.format);
}

}  // namespace

Shaped map_rate_distortion(const Pixels& pixels, std::span<const Rgba> palette, std::size_t fixed, double strength) {
  if (!(strength >= 0) || strength > 100) throw std::invalid_argument("rdo must be from 0 to 100");
  if (fixed > palette.size()) throw std::invalid_argument("there are fewer entries than are fixed");
  Shaped shaped = {{palette.begin(), palette.end()}, map_pixels(pixels, palette, ColorSpace::srgb, 0.0)};
  if (strength == 0) return shaped;
  Activity activity(pixels);
  const double error = error_of(pixels, shaped, activity);
  const double lambda = strength * error / static_cast<double>(pixels.size());
  if (lambda == 0) return shaped;

  const std::vector<std::uint8_t> smooth = reorder(shaped, smooth_order(shaped, pixels.width));
  const auto size = [&pixels](const Shaped& map, Writing writing, int level) {
    return deflate(filtered_rows(map, pixels.width, writing), level).size();
  };
  // The faster a coder, the less it sees of repeats.
  const auto good_size = [&pixels, &size](const Shaped& map, Writing writing) {
    if (!writing.plain()) return size(map, writing, 6);
    constexpr Trials kTrials{.depth = 12, .passes = 1, .long_match = 64, .headers = false};
    return deflate_small(filtered_rows(map, pixels.width, writing), kTrials).size();
  };
  // Adaptive filters would have to be found again by the encoder.
  constexpr Format kByteEach{ColorType::indexed, 8};
  Writing bytes{kByteEach, Filtering::none};
  std::size_t least = size(shaped, bytes, 1);
  for (const Filtering f : {Filtering::sub, Filtering::paeth}) {
    const std::size_t other = size(shaped, {kByteEach, f}, 1);
    if (other < least) least = other, bytes.filtering = f;
  }
  // Which of the two becomes smaller is not to be seen before.
  std::vector<Writing> writings = {bytes};
  const Format smallest = indexed_format(palette.size());
  if (smallest != kByteEach) writings.push_back({smallest, Filtering::none});

  const Hardness& hardness = palette.size() <= kFew ? kOfFew : kOfMany;
  Shaped best;
  double least_cost = std::numeric_limits<double>::infinity();
  for (const Writing writing : writings) {
    Shaped map = shaped;
    std::vector<std::uint8_t> position = smooth;
    if (writing.plain()) {
      const std::vector<std::uint8_t> moved = reorder(map, plain_order(map, pixels.width));
      for (std::uint8_t& p : position) p = moved[p];
    }
    std::array<bool, kMaxColors> keeps{};
    for (std::size_t i = 0; i < palette.size(); ++i) {
      keeps[position[i]] = i < fixed || kind_of(palette[i]) == Kind::transparent;
    }
    const auto consider = [&] {
      const double cost = 8.0 * static_cast<double>(good_size(map, writing)) + error_of(pixels, map, activity) / lambda;
      if (cost < least_cost) least_cost = cost, best = map;
    };
    consider();
    for (const std::size_t looks : hardness.looks) {
      search(pixels, map, writing, activity, kBit / lambda, looks, hardness.parses);
      move_centres(pixels, map, keeps);
      consider();
    }
  }
  return best;
}

}  // namespace chromapress
