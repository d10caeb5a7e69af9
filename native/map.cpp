#include "map.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <stdexcept>

#include "cell_table.hpp"
#include "color_hash.hpp"
#include "parallel.hpp"

namespace chromapress {
namespace {

// What there is to choose from; threads share it.
class Choices {
 public:
  struct Entry {
    Point at;
    std::uint8_t number;
  };

  Choices(std::span<const Rgba> palette, ColorSpace space) : space_(space) {
    if (palette.empty() || palette.size() > kMaxColors) {
      throw std::invalid_argument("a palette has 1 to 256 entries");
    }
    for (std::size_t i = 0; i < palette.size(); ++i) {
      const Entry entry{to_space(premultiply(palette[i]), space), static_cast<std::uint8_t>(i)};
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        if (may_become(static_cast<Kind>(kind), kind_of(palette[i]))) entries_[kind].push_back(entry);
      }
    }
    if (space == ColorSpace::srgb && !entries_[static_cast<std::size_t>(Kind::opaque)].empty()) {
      std::vector<CellTable::Entry> opaque;
      for (const Entry& e : entries_[static_cast<std::size_t>(Kind::opaque)]) {
        opaque.push_back({palette[e.number], e.number});
      }
      cells_.emplace(opaque);
    }
  }

  /// Opaque colours in sRGB levels; null where the palette has none or distances are measured elsewhere.
  CellTable* cells() { return cells_ ? &*cells_ : nullptr; }

  [[nodiscard]] std::uint8_t nearest(Rgba color) const {
    const auto& entries = entries_[static_cast<std::size_t>(kind_of(color))];
    if (entries.empty()) {
      throw std::invalid_argument("the palette has no entry for a kind of color: transparent or opaque");
    }
    const Point x = to_space(premultiply(color), space_);
    double least = std::numeric_limits<double>::infinity();
    std::uint8_t best = 0;
    for (const Entry& e : entries) {
      const double distance = squared_distance(x, e.at);
      if (distance < least) {
        least = distance;
        best = e.number;
      }
    }
    return best;
  }

 private:
  ColorSpace space_;
  std::array<std::vector<Entry>, kKinds> entries_;  // that a colour of each kind may become
  std::optional<CellTable> cells_;
};

// Answers "which entry?" for one thread's colours, in any order, and remembers the answers.
class Mapper {
 public:
  explicit Mapper(Choices& choices) : choices_(choices) {
    if (choices.cells() != nullptr) cells_.emplace(*choices.cells());
  }

  std::uint8_t operator()(Rgba color) {
    if (color.a == 255 && cells_) return (*cells_)(place_of(color.r, color.g, color.b));
    const std::uint32_t key = color.a == 0 ? 0 : key_of(color);
    if (key == last_key_ && has_last_) return last_;
    bool is_new = false;
    std::uint8_t& known = known_(key, &is_new);
    if (is_new) known = choices_.nearest(color);
    last_key_ = key;
    has_last_ = true;
    last_ = known;
    return known;
  }

  /// The same for the pixels from `begin` to `end`.
  void map(const Pixels& pixels, std::size_t begin, std::size_t end, std::uint8_t* indices) {
    if (cells_ && pixels.channels == 3) {
      cells_->map(pixels.data.subspan(3 * begin, 3 * (end - begin)), indices + begin);
    } else {
      for (std::size_t i = begin; i < end; ++i) indices[i] = (*this)(pixels.at(i));
    }
  }

 private:
  const Choices& choices_;
  std::optional<CellTable::Reader> cells_;
  ColorHash<std::uint8_t> known_;
  std::uint32_t last_key_ = 0;
  std::uint8_t last_ = 0;
  bool has_last_ = false;
};

using Error = std::array<double, 4>;

// For each entry the squared distance to the nearest other one that its colours may become; 1 where there is none.
std::vector<double> spacing_of(std::span<const Rgba> palette) {
  std::vector<double> spacing(palette.size());
  for (std::size_t i = 0; i < palette.size(); ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (const Rgba other : palette) {
      const double distance = squared_distance(premultiply(palette[i]), premultiply(other));
      if (distance > 0 && may_become(kind_of(palette[i]), kind_of(other))) least = std::min(least, distance);
    }
    spacing[i] = std::isfinite(least) ? least : 1;
  }
  return spacing;
}

// The squared greatest difference, in a channel, between a pixel and those beside, above and below it; what a
// transparent one hides does not count.
double contrast_at(const Pixels& pixels, std::size_t x, std::size_t y) {
  const std::size_t i = y * pixels.width + x;
  const Rgba own = pixels.at(i);
  int most = 0;
  const auto see = [&](std::size_t j) {
    Rgba c = pixels.at(j);
    if (c.a == 0) c = {};
    most = std::max({most, std::abs(c.r - own.r), std::abs(c.g - own.g), std::abs(c.b - own.b), std::abs(c.a - own.a)});
  };
  if (x > 0) see(i - 1);
  if (x + 1 < pixels.width) see(i + 1);
  if (y > 0) see(i - pixels.width);
  if (y + 1 < pixels.height) see(i + pixels.width);
  return static_cast<double>(most * most);
}

// What a pixel should be: its colour and the error that it was handed, as far as that can be shown. A transparent or
// opaque pixel takes none in its alpha.
Point wanted_at(Rgba color, const Error& error, double limit) {
  const double length = squared_distance(error, Point{});
  const double scale = length > limit ? std::sqrt(limit / length) : 1;
  Point p = premultiply(color);
  for (std::size_t d = 0; d < 4; ++d) p[d] += scale * error[d];
  p[3] = color.a == 255 ? 255.0 : std::clamp(p[3], 1.0, 254.0);
  for (std::size_t d = 0; d < 3; ++d) p[d] = std::clamp(p[d], 0.0, p[3]);
  return p;
}

void map_dithered(const Pixels& pixels, std::span<const Rgba> palette, Mapper& mapper, double dither,
                  std::span<std::uint8_t> indices) {
  // An error of more than half the way to the next entry can be shown by no mixture of entries: handed on in full it
  // would grow without end. At 0.35 of the way, a colour that is nearly an entry's (within 0.15) gets no lone dots of
  // the next one, which are seen more than the difference. And where neighbours differ by a good part of the way, there
  // is no contour to break up, nor where entries are but a few levels apart: one level is what rounding leaves.
  constexpr double kLimit = 0.35 * 0.35, kContrast = 0.025, kRounding = 1;
  const std::vector<double> spacing = spacing_of(palette);
  const std::size_t width = pixels.width;
  // One column of margin on both sides.
  std::vector<Error> row(width + 2), next(width + 2);
  for (std::size_t y = 0; y < pixels.height; ++y) {
    const bool forward = y % 2 == 0;
    std::fill(next.begin(), next.end(), Error{});
    for (std::size_t step = 0; step < width; ++step) {
      const std::size_t x = forward ? step : width - 1 - step;
      const std::size_t i = y * width + x;
      const Rgba color = pixels.at(i);
      const std::uint8_t nearest = mapper(color);
      if (color.a == 0) {
        indices[i] = nearest;
        continue;
      }
      const Point wanted = wanted_at(color, row[x + 1], kLimit * spacing[nearest]);
      indices[i] = mapper(to_straight(wanted));
      const Point got = premultiply(palette[indices[i]]);
      const double contrast = kRounding + contrast_at(pixels, x, y);
      const double share = dither / 16 / (1 + contrast / (kContrast * spacing[nearest]));
      const std::size_t ahead = forward ? x + 2 : x, behind = forward ? x : x + 2;
      for (std::size_t d = 0; d < 4; ++d) {
        const double error = (wanted[d] - got[d]) * share;
        row[ahead][d] += 7 * error;
        next[behind][d] += 3 * error;
        next[x + 1][d] += 5 * error;
        next[ahead][d] += error;
      }
    }
    row.swap(next);
  }
}

}  // namespace

std::vector<std::uint8_t> map_colors(std::span<const Rgba> colors, std::span<const Rgba> palette, ColorSpace space) {
  Choices choices(palette, space);
  Mapper mapper(choices);
  std::vector<std::uint8_t> labels(colors.size());
  std::transform(colors.begin(), colors.end(), labels.begin(), [&mapper](Rgba c) { return mapper(c); });
  return labels;
}

void map_pixels(const Pixels& pixels, std::span<const Rgba> palette, ColorSpace space, double dither,
                std::size_t threads, std::span<std::uint8_t> indices) {
  if (!(dither >= 0 && dither <= 1)) throw std::invalid_argument("dither must be from 0 to 1");
  Choices choices(palette, space);
  if (dither > 0) {
    Mapper mapper(choices);
    map_dithered(pixels, palette, mapper, dither, indices);
    return;
  }
  const std::size_t parts = std::max<std::size_t>(1, pixels.size() / kPixelsPerPart);
  threads = std::min(parts, thread_count(threads));
  Team team(threads);
  Shares shares(parts, threads);
  team(threads, [&](std::size_t t) {
    Mapper mapper(choices);
    shares(t, [&](std::size_t part) {
      mapper.map(pixels, pixels.size() * part / parts, pixels.size() * (part + 1) / parts, indices.data());
    });
  });
}

std::vector<std::uint8_t> map_pixels(const Pixels& pixels, std::span<const Rgba> palette, ColorSpace space,
                                     double dither, std::size_t threads) {
  std::vector<std::uint8_t> indices(pixels.size());
  map_pixels(pixels, palette, space, dither, threads, indices);
  return indices;
}

double palette_error(const HistogramView& view, std::span<const Rgba> palette) {
  validate(view);
  const std::vector<std::uint8_t> labels = map_colors(view.colors, palette, ColorSpace::srgb);
  double error = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    error += static_cast<double>(view.counts[i]) *
             squared_distance(premultiply(view.colors[i]), premultiply(palette[labels[i]]));
  }
  return error;
}

}  // namespace chromapress
