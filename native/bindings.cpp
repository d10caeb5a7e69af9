// The Python module chromapress.engine: checks arrays, releases the GIL, calls the core. See engine.pyi.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>

#include "curve.hpp"
#include "expand.hpp"
#include "kmeans.hpp"
#include "map.hpp"
#include "merge.hpp"
#include "parallel.hpp"
#include "png.hpp"
#include "quality.hpp"
#include "rdo.hpp"
#include "read_png.hpp"
#include "silhouette.hpp"
#include "webp.hpp"

namespace py = pybind11;
namespace cp = chromapress;

namespace {

// The array itself, or a copy of it where its memory is not contiguous. Never another type: TypeError.
template <typename T>
py::array_t<T, py::array::c_style> contiguous(const py::array& array, const char* name, py::ssize_t dimensions) {
  if (!py::dtype::of<T>().is(array.dtype()) && !array.dtype().equal(py::dtype::of<T>())) {
    throw py::type_error(std::string(name) + " must be of type " + std::string(py::str(py::dtype::of<T>())) + ", not " +
                         std::string(py::str(array.dtype())));
  }
  if (array.ndim() != dimensions) {
    throw py::value_error(std::string(name) + " must have " + std::to_string(dimensions) + " dimensions, not " +
                          std::to_string(array.ndim()));
  }
  return py::array_t<T, py::array::c_style>::ensure(array);
}

template <typename T>
class Array {
 public:
  Array(const py::array& array, const char* name, py::ssize_t dimensions)
      : array_(contiguous<T>(array, name, dimensions)) {}
  [[nodiscard]] std::size_t shape(py::ssize_t d) const { return static_cast<std::size_t>(array_.shape(d)); }
  template <typename Row = T>
  [[nodiscard]] std::span<const Row> rows() const {
    const auto bytes = static_cast<std::size_t>(array_.nbytes());
    return {reinterpret_cast<const Row*>(array_.data()), bytes / sizeof(Row)};
  }

 private:
  py::array_t<T, py::array::c_style> array_;
};

template <typename T>
struct Rows4 : Array<T> {
  Rows4(const py::array& array, const char* name) : Array<T>(array, name, 2) {
    if (this->shape(1) != 4) throw py::value_error(std::string(name) + " must have shape [n, 4]");
  }
};

struct Image : Array<std::uint8_t> {
  Image(const py::array& array, const char* name) : Array(array, name, 3) {
    if (shape(2) != 3 && shape(2) != 4) throw py::value_error(std::string(name) + " must have 3 or 4 channels");
    if (shape(0) == 0 || shape(1) == 0) throw py::value_error(std::string(name) + " must not be empty");
  }
  [[nodiscard]] cp::Pixels pixels() const { return {rows(), shape(1), shape(0), shape(2)}; }
};

struct HistogramArrays {
  Rows4<std::uint8_t> colors;
  Array<std::int64_t> counts;
  HistogramArrays(const py::array& colors_, const py::array& counts_)
      : colors(colors_, "colors"), counts(counts_, "counts", 1) {
    if (colors.shape(0) != counts.shape(0)) throw py::value_error("colors and counts differ in length");
  }
  [[nodiscard]] cp::HistogramView view() const { return {colors.rows<cp::Rgba>(), counts.rows()}; }
};

// An array that owns what was a vector: nothing is copied.
template <typename T, typename Rows>
py::array_t<T> to_array(Rows rows, std::vector<std::size_t> shape) {
  auto owned = std::make_unique<Rows>(std::move(rows));
  const auto* data = reinterpret_cast<const T*>(owned->data());
  const py::capsule owner(owned.get(), [](void* p) { delete static_cast<Rows*>(p); });
  static_cast<void>(owned.release());
  return py::array_t<T>(std::move(shape), data, owner);
}

py::tuple to_python(cp::Histogram h) {
  const std::size_t n = h.colors.size();
  return py::make_tuple(to_array<std::uint8_t>(std::move(h.colors), {n, 4}),
                        to_array<std::int64_t>(std::move(h.counts), {n}));
}

cp::ColorSpace space_of(const std::string& name) {
  if (name == "srgb") return cp::ColorSpace::srgb;
  if (name == "oklab") return cp::ColorSpace::oklab;
  throw py::value_error("color_space must be 'srgb' or 'oklab', not '" + name + "'");
}

std::size_t threads_of(std::int64_t threads) {
  if (threads < 0 || threads > static_cast<std::int64_t>(cp::kMostThreads))
    throw py::value_error("threads must be from 0 to 256");
  return static_cast<std::size_t>(threads);
}

template <typename Call>
auto without_gil(Call call) {
  const py::gil_scoped_release release;
  return call();
}

template <auto Encode>
py::bytes encode(const py::array& indices, const py::array& palette, int effort) {
  const Array<std::uint8_t> map(indices, "indices", 2);
  const Rows4<std::uint8_t> entries(palette, "palette");
  const auto file = without_gil([&] {
    return Encode({map.rows(), map.shape(1), map.shape(0)}, entries.rows<cp::Rgba>(), effort);
  });
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

cp::Clustering kmeans(const py::array& colors, const py::array& counts, std::int64_t k,
                      const std::optional<py::array>& start, const std::optional<py::array>& protected_,
                      const std::string& color_space, std::optional<std::int64_t> max_iterations, double tolerance,
                      std::int64_t threads) {
  const HistogramArrays histogram(colors, counts);
  std::optional<Rows4<double>> start_rows;
  if (start) start_rows.emplace(*start, "start");
  std::optional<Rows4<std::uint8_t>> protected_rows;
  if (protected_) protected_rows.emplace(*protected_, "protected");
  if (k < 1 || k > 256) throw py::value_error("k must be from 1 to 256");
  if (max_iterations && *max_iterations < 0) throw py::value_error("max_iterations must be at least 0");
  cp::KMeansOptions options{.k = static_cast<std::size_t>(k),
                            .start = {},
                            .protected_colors = {},
                            .space = space_of(color_space),
                            .max_iterations = {},
                            .threads = threads_of(threads),
                            .tolerance = tolerance};
  if (max_iterations) options.max_iterations = static_cast<std::size_t>(*max_iterations);
  if (start_rows) {
    options.start = start_rows->rows<cp::Point>();
    if (options.start.size() != options.k) throw py::value_error("start must have k rows");
  }
  if (protected_rows) options.protected_colors = protected_rows->rows<cp::Rgba>();
  return without_gil([&] { return cp::kmeans(histogram.view(), options); });
}

// With the arrays that it reads.
class Curve {
 public:
  Curve(const py::array& colors, const py::array& counts, const std::optional<py::array>& protected_colors,
        const std::string& color_space)
      : histogram_(colors, counts) {
    if (protected_colors) protected_.emplace(*protected_colors, "protected");
    cp::KMeansOptions options{
        .start = {}, .protected_colors = {}, .space = space_of(color_space), .max_iterations = {}};
    if (protected_) options.protected_colors = protected_->rows<cp::Rgba>();
    without_gil([&] { curve_.emplace(histogram_.view(), options); });
  }
  [[nodiscard]] cp::Clustering finest() const {
    return without_gil([&] { return curve_->finest(); });
  }
  [[nodiscard]] std::vector<cp::ScoredClustering> scored(const std::vector<std::int64_t>& ks,
                                                         std::int64_t threads) const {
    std::vector<std::size_t> sizes;
    for (const std::int64_t k : ks) {
      if (k < 1 || k > 256) throw py::value_error("k must be from 1 to 256");
      sizes.push_back(static_cast<std::size_t>(k));
    }
    const std::size_t count = threads_of(threads);
    return without_gil([&] { return curve_->scored(sizes, count); });
  }

 private:
  HistogramArrays histogram_;
  std::optional<Rows4<std::uint8_t>> protected_;
  std::optional<cp::Curve> curve_;
};

std::vector<cp::Rgba> palette_of(const cp::Clustering& c) {
  std::vector<cp::Rgba> palette;
  for (const cp::Point& p : c.centres) palette.push_back(cp::to_straight(p));
  return palette;
}

}  // namespace

PYBIND11_MODULE(engine, m, py::mod_gil_not_used()) {
  m.attr("__version__") = CHROMAPRESS_VERSION;
  m.attr("MAX_COLORS") = cp::kMaxColors;
  m.attr("MAX_WEBP_SIDE") = cp::kMaxWebpSide;

  py::class_<cp::Clustering>(m, "Clustering", py::is_final())
      .def_property_readonly("centres",
                             [](const cp::Clustering& c) {
                               return to_array<double>(c.centres, {c.centres.size(), 4});
                             })
      .def_property_readonly(
          "labels", [](const cp::Clustering& c) { return to_array<std::uint8_t>(c.labels, {c.labels.size()}); })
      .def_property_readonly("sizes",
                             [](const cp::Clustering& c) { return to_array<std::int64_t>(c.sizes, {c.sizes.size()}); })
      .def_property_readonly("palette",
                             [](const cp::Clustering& c) {
                               return to_array<std::uint8_t>(palette_of(c), {c.centres.size(), 4});
                             })
      .def_readonly("inertia", &cp::Clustering::inertia)
      .def_readonly("iterations", &cp::Clustering::iterations);

  m.def(
      "histogram",
      [](const py::array& pixels, std::int64_t threads) {
        const Image image(pixels, "pixels");
        const std::size_t count = threads_of(threads);
        return to_python(without_gil([&] { return cp::histogram(image.pixels(), count); }));
      },
      py::arg("pixels"), py::kw_only(), py::arg("threads") = 1);

  m.def(
      "merge",
      [](const std::vector<std::pair<py::array, py::array>>& histograms) {
        std::vector<HistogramArrays> arrays;
        std::vector<cp::HistogramView> views;
        for (const auto& [colors, counts] : histograms) arrays.emplace_back(colors, counts);
        for (const HistogramArrays& a : arrays) views.push_back(a.view());
        return to_python(without_gil([&] {
          for (const cp::HistogramView& v : views) cp::validate(v);
          return cp::merge(views);
        }));
      },
      py::arg("histograms"));

  m.def("kmeans", &kmeans, py::arg("colors"), py::arg("counts"), py::arg("k"), py::kw_only(),
        py::arg("start") = py::none(), py::arg("protected") = py::none(), py::arg("color_space") = "srgb",
        py::arg("max_iterations") = py::none(), py::arg("tolerance") = 1e-4, py::arg("threads") = 1);

  py::class_<cp::ScoredClustering>(m, "ScoredClustering", py::is_final())
      .def_readonly("clustering", &cp::ScoredClustering::clustering)
      .def_readonly("silhouette", &cp::ScoredClustering::silhouette)
      .def_readonly("error", &cp::ScoredClustering::error);

  py::class_<Curve>(m, "Curve", py::is_final())
      .def(py::init<const py::array&, const py::array&, const std::optional<py::array>&, const std::string&>(),
           py::arg("colors"), py::arg("counts"), py::kw_only(), py::arg("protected") = py::none(),
           py::arg("color_space") = "srgb")
      .def_property_readonly("finest", &Curve::finest)
      .def("scored", &Curve::scored, py::arg("ks"), py::kw_only(), py::arg("threads") = 1);

  m.def(
      "curve",
      [](const py::array& colors, const py::array& counts, const std::vector<std::int64_t>& ks,
         const std::optional<py::array>& protected_colors, const std::string& color_space,
         std::int64_t threads) { return Curve(colors, counts, protected_colors, color_space).scored(ks, threads); },
      py::arg("colors"), py::arg("counts"), py::arg("ks"), py::kw_only(), py::arg("protected") = py::none(),
      py::arg("color_space") = "srgb", py::arg("threads") = 1);

  m.def(
      "silhouette",
      [](const py::array& colors, const py::array& counts, const py::array& labels) {
        const HistogramArrays histogram(colors, counts);
        const Array<std::uint8_t> label_array(labels, "labels", 1);
        return without_gil([&] { return cp::silhouette(histogram.view(), label_array.rows()); });
      },
      py::arg("colors"), py::arg("counts"), py::arg("labels"));

  m.def(
      "palette_error",
      [](const py::array& colors, const py::array& counts, const py::array& palette) {
        const HistogramArrays histogram(colors, counts);
        const Rows4<std::uint8_t> entries(palette, "palette");
        return without_gil([&] { return cp::palette_error(histogram.view(), entries.rows<cp::Rgba>()); });
      },
      py::arg("colors"), py::arg("counts"), py::arg("palette"));

  m.def(
      "map_colors",
      [](const py::array& colors, const py::array& palette, const std::string& color_space) {
        const Rows4<std::uint8_t> rows(colors, "colors"), entries(palette, "palette");
        const cp::ColorSpace space = space_of(color_space);
        auto labels =
            without_gil([&] { return cp::map_colors(rows.rows<cp::Rgba>(), entries.rows<cp::Rgba>(), space); });
        return to_array<std::uint8_t>(std::move(labels), {rows.shape(0)});
      },
      py::arg("colors"), py::arg("palette"), py::kw_only(), py::arg("color_space") = "srgb");

  m.def(
      "map_pixels",
      [](const py::array& pixels, const py::array& palette, const std::string& color_space, double dither,
         std::int64_t threads) {
        const Image image(pixels, "pixels");
        const Rows4<std::uint8_t> entries(palette, "palette");
        const cp::ColorSpace space = space_of(color_space);
        const std::size_t count = threads_of(threads);
        // numpy's memory is not written before it is used, and in huge pages where it is large.
        py::array_t<std::uint8_t> indices({image.shape(0), image.shape(1)});
        const std::span<std::uint8_t> out(indices.mutable_data(), static_cast<std::size_t>(indices.size()));
        without_gil([&] { cp::map_pixels(image.pixels(), entries.rows<cp::Rgba>(), space, dither, count, out); });
        return indices;
      },
      py::arg("pixels"), py::arg("palette"), py::kw_only(), py::arg("color_space") = "srgb", py::arg("dither") = 0.0,
      py::arg("threads") = 1);

  m.def(
      "map_rate_distortion",
      [](const py::array& pixels, const py::array& palette, double rdo, std::int64_t fixed) {
        const Image image(pixels, "pixels");
        const Rows4<std::uint8_t> entries(palette, "palette");
        if (fixed < 0) throw py::value_error("fixed must be at least 0");
        const auto shaped = without_gil([&] {
          return cp::map_rate_distortion(image.pixels(), entries.rows<cp::Rgba>(), static_cast<std::size_t>(fixed),
                                         rdo);
        });
        return py::make_tuple(to_array<std::uint8_t>(shaped.palette, {shaped.palette.size(), 4}),
                              to_array<std::uint8_t>(shaped.indices, {image.shape(0), image.shape(1)}));
      },
      py::arg("pixels"), py::arg("palette"), py::kw_only(), py::arg("rdo"), py::arg("fixed") = 0);

  m.def(
      "expand",
      [](const py::array& indices, const py::array& palette, std::size_t channels) {
        const Array<std::uint8_t> map(indices, "indices", 2);
        const Rows4<std::uint8_t> entries(palette, "palette");
        if (channels != 3 && channels != 4) throw py::value_error("channels must be 3 or 4");
        py::array_t<std::uint8_t> pixels({map.shape(0), map.shape(1), channels});
        const std::span<std::uint8_t> out(pixels.mutable_data(), static_cast<std::size_t>(pixels.size()));
        auto sizes = without_gil([&] { return cp::expand(map.rows(), entries.rows<cp::Rgba>(), channels, out); });
        return py::make_tuple(pixels, to_array<std::int64_t>(std::move(sizes), {entries.shape(0)}));
      },
      py::arg("indices"), py::arg("palette"), py::arg("channels"));

  m.def("encode_png", &encode<cp::encode_png>, py::arg("indices"), py::arg("palette"), py::kw_only(),
        py::arg("effort") = 5);

  m.def("encode_webp", &encode<cp::encode_webp>, py::arg("indices"), py::arg("palette"), py::kw_only(),
        py::arg("effort") = 5);

  m.def(
      "read_png",
      [](const py::bytes& content, std::int64_t max_pixels) -> py::object {
        if (max_pixels < 1) throw py::value_error("max_pixels must be at least 1");
        const std::string_view file(content);
        auto image = without_gil([&] {
          return cp::read_png({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()},
                              static_cast<std::size_t>(max_pixels));
        });
        if (!image) return py::none();
        return to_array<std::uint8_t>(std::move(image->data), {image->height, image->width, image->channels});
      },
      py::arg("content"), py::kw_only(), py::arg("max_pixels"));

  m.def(
      "psnr",
      [](const py::array& a, const py::array& b) {
        const Image first(a, "a"), second(b, "b");
        return without_gil([&] { return cp::psnr(first.pixels(), second.pixels()); });
      },
      py::arg("a"), py::arg("b"));

  m.def(
      "ssim",
      [](const py::array& a, const py::array& b) {
        const Image first(a, "a"), second(b, "b");
        return without_gil([&] { return cp::ssim(first.pixels(), second.pixels()); });
      },
      py::arg("a"), py::arg("b"));
}
